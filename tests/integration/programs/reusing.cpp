// Ends while its reusable executors have tasks, in the way that its argument says. Tasks print a
// line each.
#include <coproc/coproc.hpp>
#include <coproc/reusable.hpp>

#include <atomic>
#include <cstdlib>
#include <future>
#include <string>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

/// One call, so that lines of several processes do not mix.
void print(const std::string& line) {
    const std::string whole = line + "\n";
    static_cast<void>(!::write(STDOUT_FILENO, whole.data(), whole.size()));
}

void say(int n) { print("task " + std::to_string(n)); }

/// Ends when the other end of a pipe, held by this process's parent or by itself, is closed.
void say_when_let_go(int process, int descriptor) {
    const std::string path =
        "/proc/" + std::to_string(process) + "/fd/" + std::to_string(descriptor);
    const int pipe = ::open(path.c_str(), O_RDONLY);
    char nothing;
    print(::read(pipe, &nothing, 1) == 1 ? "let go" : "not let go");
}

void say_in_nested(int n) {
    const auto inner = coproc::get_reusable_executor({.max_workers = 1});
    print("value " + std::to_string(inner->submit([](int i) { return i; }, n).get().value()));
    inner->submit(say, n).detach(); // it runs while the worker ends
}

void leave_tasks(coproc::executor& executor, int first) {
    for (int n = first; n < first + 5; ++n) {
        executor.submit(say, n).detach();
    }
}

// ---- ways to end

int by_return() {
    leave_tasks(*coproc::get_reusable_executor({.max_workers = 2}), 0);
    leave_tasks(*coproc::get_reusable_executor({.max_workers = 1}, {.name = "other"}), 5);
    return 0;
}

/// Nobody holds the first one any more, but for its tasks.
int after_replacement() {
    leave_tasks(*coproc::get_reusable_executor({.max_workers = 1}), 0);
    leave_tasks(*coproc::get_reusable_executor({.max_queued = 100}), 5);
    return 0;
}

/// The task ends when handlers are not called any more.
int without_handlers() {
    static int ends[2];
    if (::pipe(ends) != 0) {
        return 1;
    }
    const auto executor = coproc::get_reusable_executor({.max_workers = 1});
    executor->submit(say_when_let_go, static_cast<int>(::getpid()),
                     ends[0])([](const coproc::result<void>&) { print("handler"); });
    std::thread([executor] {
        while (!executor->submit([] {}).ready()) {
        }
        static_cast<void>(!::write(ends[1], "!", 1));
    }).detach();
    return 0;
}

int by_exit_in_handler() {
    const auto executor = coproc::get_reusable_executor({.max_workers = 1});
    executor->submit(say, 0)([executor](const coproc::result<void>&) {
        leave_tasks(*executor, 1);
        leave_tasks(*coproc::get_reusable_executor({.max_queued = 100}), 6);
        std::exit(3);
    });
    std::promise<void>().get_future().wait();
    return 1;
}

/// What was registered before the first use comes after the last task, though a thread goes on
/// asking until then.
int with_a_late_call() {
    static std::atomic<bool> over = false;
    static std::thread other;
    std::atexit([] {
        const auto late = coproc::get_reusable_executor()->submit(say, 100).get();
        print(late.error() == coproc::errc::executor_shutdown ? "too late" : "not too late");
        over = true;
        other.join(); // what the thread has made in the meantime ends here as well
    });
    leave_tasks(*coproc::get_reusable_executor({.max_workers = 1}), 0);
    other = std::thread([] {
        while (!over) {
            static_cast<void>(coproc::get_reusable_executor());
        }
    });
    return 0;
}

int with_nested_ones() {
    const auto executor = coproc::get_reusable_executor({.max_workers = 2});
    for (int n = 0; n < 3; ++n) {
        executor->submit(say_in_nested, n).detach();
    }
    return 0;
}

/// Children of a process whose threads are in the middle of whatever.
int in_forked_children() {
    const auto ours = coproc::get_reusable_executor({.max_workers = 1});
    std::atomic<bool> over = false;
    std::thread other([&over] {
        while (!over) {
            static_cast<void>(coproc::get_reusable_executor({.max_workers = 1}));
        }
    });
    for (int n = 0; n < 5; ++n) {
        const pid_t child = ::fork();
        if (child == 0) {
            const auto inert = ours->submit(say, 100).get();
            const auto own = coproc::get_reusable_executor({.max_workers = 1});
            const auto got = own->submit([](int i) { return i; }, n).get();
            own->submit(say, n).detach();
            std::exit(inert.has_value() || !(inert.error() == coproc::errc::forked) || !got);
        }
        int status = -1;
        ::waitpid(child, &status, 0);
        print("child " + std::to_string(status));
    }
    over = true;
    other.join();
    ours->submit(say, 5).detach();
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    const std::string_view way = argc > 1 ? argv[1] : "";
    return way == "return"    ? by_return()
           : way == "replace" ? after_replacement()
           : way == "handler" ? without_handlers()
           : way == "exit"    ? by_exit_in_handler()
           : way == "late"    ? with_a_late_call()
           : way == "nested"  ? with_nested_ones()
           : way == "fork"    ? in_forked_children()
                              : 2;
}
