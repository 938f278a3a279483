#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/matchers.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"

#include <coproc/codecs/string.hpp>
#include <coproc/codecs/vector.hpp>
#include <coproc/coproc.hpp>
#include <coproc/reusable.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ext/stdio_filebuf.h>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

// Workers that are copies of the program as it is.

namespace {

using coproc::call;
using coproc::certainty;
using coproc::errc;
using coproc::start_method;
using namespace std::chrono_literals;

coproc::executor_options forking() { return {.max_workers = 2, .start = start_method::fork}; }

template <class F, class... Args>
auto run_one(coproc::executor_options options, F function, Args... args) {
    asio::io_context loop;
    coproc::executor executor(loop, std::move(options));
    auto job = executor.submit(function, std::move(args)...);
    test::run(loop);
    REQUIRE(job.ready());
    return std::move(job).get();
}

std::string set_by_program; // before the fork

std::string tell_what_is_set() { return set_by_program; }
std::vector<int> tell_places() { return {::getpid(), ::getppid(), ::getpgrp()}; }

std::vector<int> descriptors() {
    std::vector<int> numbers;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        numbers.push_back(std::stoi(entry.path().filename()));
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

int end_of_input() { return std::getchar(); }

bool takes_signal_as_by_default(int number) {
    struct sigaction now {};
    ::sigaction(number, nullptr, &now);
    sigset_t blocked;
    ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
    return now.sa_handler == SIG_DFL && ::sigismember(&blocked, number) == 0;
}

std::string file_of_exits;
pid_t program = 0;

void tell_exit(const char* what) { std::ofstream(file_of_exits, std::ios::app) << what << '\n'; }

void add_hook() {
    coproc::this_worker::on_exit([] { tell_exit("hook"); });
}
int write_more() {
    std::fputs("and this is the worker's", stdout);
    return 1;
}

asio::awaitable<void> left_in_order() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor_options options = forking();
    options.initializers = {call(add_hook)};
    coproc::executor executor(loop, options);
    const auto got = co_await executor.submit(write_more);
    CHECK(got.has_value());
    const auto report = co_await executor.async_shutdown();
    CHECK(report.killed_workers == 0);
}

int crash() { std::abort(); }

asio::awaitable<void> crashes() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, forking());
    const auto first = co_await executor.submit(tell_places);
    const auto got = co_await executor.submit(crash);
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::worker_terminated);
    CHECK(got.error().worker()->signal == SIGABRT);
    CHECK_FALSE(got.error().worker()->backtrace.empty());
    const auto next = co_await executor.submit(tell_places);
    CHECK(next.value().at(0) != first.value().at(0));
}

/// A worker that was executed has workers that are copies of it.
std::vector<int> places_of_inner(const std::string& meeting) {
    asio::io_context loop;
    coproc::executor inner(loop, {.max_workers = 1, .start = start_method::fork});
    auto job = inner.submit(tell_places);
    loop.run();
    const std::vector<int> places = std::move(job).get().value();
    test::visit(meeting).await_leave();
    return places;
}

int wait_in_inner(const std::string& meeting) {
    asio::io_context loop;
    coproc::executor inner(loop, {.max_workers = 1, .start = start_method::fork});
    auto job =
        inner.submit([](const std::string& name) { test::visit(name).await_leave(); }, meeting);
    loop.run();
    return 0;
}

asio::awaitable<void> nested() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .start = start_method::exec});
    const auto outer = co_await executor.submit(tell_places);
    test::meeting meeting(loop);
    auto job = executor.submit(places_of_inner, meeting.name());
    auto stays = co_await meeting.arrival();
    stays.close();
    const auto inner = co_await std::move(job);
    CHECK(inner.value().at(1) == outer.value().at(0));

    // The end of the outer one is that of the inner one.
    auto killed = executor.submit(wait_in_inner, meeting.name());
    int pid = 0;
    auto waits = co_await meeting.arrival(&pid);
    const int dies = test::open_process(pid);
    ::kill(outer.value().at(0), SIGKILL);
    const auto lost = co_await std::move(killed);
    CHECK(lost.error() == errc::worker_terminated);
    CHECK(test::await_end(dies, 20'000));
    ::close(dies);
}

} // namespace

TEST_CASE("fork: a worker has what the program has set, and is its child in a group of its own",
          "[process][fork]") {
    set_by_program = "by the program";
    CHECK(run_one(forking(), tell_what_is_set).value() == "by the program");
    const std::vector<int> places = run_one(forking(), tell_places).value();
    CHECK(places.at(0) != ::getpid());
    CHECK(places.at(1) == ::getpid());
    CHECK(places.at(2) == places.at(0));
    CHECK_FALSE(test::has_children());
}

TEST_CASE("fork: a worker has no descriptor of the program's", "[process][fork]") {
    const int ours = ::open("/dev/null", O_RDONLY);
    const std::vector<int> numbers = run_one(forking(), descriptors).value();
    CHECK(numbers == std::vector<int>{0, 1, 2, 3, 4}); // its socket, and the directory
    CHECK(run_one(forking(), end_of_input).value() == EOF);
    ::close(ours);
}

TEST_CASE("fork: signals that the program ignores or blocks are the program's", "[process][fork]") {
    std::signal(SIGUSR1, SIG_IGN);
    sigset_t only;
    sigset_t before;
    ::sigemptyset(&only);
    ::sigaddset(&only, SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &only, &before);
    CHECK(run_one(forking(), takes_signal_as_by_default, SIGUSR1).value());
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    std::signal(SIGUSR1, SIG_DFL);
}

TEST_CASE("fork: the settings of workers hold", "[process][fork]") {
    coproc::executor_options options = forking();
    options.environment = {{"COPROC_TEST_FORK", "{slot}!"}};
    options.process = {.working_directory = "/", .limits = {.open_files = 64}};
    const auto got = run_one(options, [] {
        return std::string(std::getenv("COPROC_TEST_FORK")) + " " +
               std::filesystem::current_path().string() + " " +
               std::to_string(::sysconf(_SC_OPEN_MAX));
    });
    CHECK(got.value() == "0! / 64");
    CHECK(std::getenv("COPROC_TEST_FORK") == nullptr);

    options.process.working_directory = "/nowhere";
    const auto refused = run_one(options, tell_places);
    CHECK(refused.error() == errc::spawn_failed);
    CHECK_THAT(refused.error().message(),
               test::contains_text("executor_options::process.working_directory: chdir to "
                                   "/nowhere: No such file or directory"));
    CHECK_FALSE(test::has_children());
}

TEST_CASE("fork: a worker ends without what the program does at its end", "[process][fork]") {
    std::string file = "/tmp/coproc-fork-XXXXXX";
    ::close(::mkstemp(file.data()));
    file_of_exits = file;
    program = ::getpid();
    std::atexit([] {
        if (::getpid() != program) {
            tell_exit("atexit");
        }
    });
    test::run(left_in_order());
    std::ifstream in(file);
    std::string lines;
    std::getline(in, lines, '\0');
    CHECK(lines == "hook\n");
    ::unlink(file.c_str());
    CHECK_FALSE(test::has_children());
}

namespace {

/// Standard output is a file, while it lives.
class output_file {
public:
    output_file() : file_(::mkstemp(name_.data())), before_(::dup(STDOUT_FILENO)) {
        std::fflush(stdout);
        ::dup2(file_, STDOUT_FILENO);
    }
    ~output_file() {
        ::close(before_);
        ::close(file_);
        ::unlink(name_.c_str());
    }
    output_file(const output_file&) = delete;
    output_file& operator=(const output_file&) = delete;

    /// Gives standard output back, and what was written.
    std::string text() {
        std::fflush(stdout);
        ::dup2(before_, STDOUT_FILENO);
        std::ifstream in(name_);
        std::string written;
        std::getline(in, written, '\0');
        return written;
    }

private:
    std::string name_ = "/tmp/coproc-fork-XXXXXX";
    int file_;
    int before_;
};

} // namespace

TEST_CASE("fork: what a worker writes arrives, and what the program has not flushed is not written "
          "twice",
          "[process][fork]") {
    output_file output;
    {
        // As std::ios::sync_with_stdio(false) has it.
        __gnu_cxx::stdio_filebuf<char> own(STDOUT_FILENO, std::ios::out);
        std::streambuf* const shared = std::cout.rdbuf(&own);
        std::cout << "this is the program's ";
        asio::io_context loop;
        coproc::executor executor(loop, forking());
        auto job = executor.submit(write_more);
        test::run(loop);
        executor.async_shutdown({}, [](coproc::shutdown_report) {});
        test::run(loop);
        std::cout.flush();
        std::cout.rdbuf(shared);
    } // closes it
    CHECK(output.text() == "this is the program's and this is the worker's");
}

TEST_CASE("fork: what the program has given to the C library is not written twice",
          "[process][fork]") {
    output_file output;
    std::fputs("this is the program's ", stdout);
    CHECK(run_one(forking(), write_more).value() == 1);
    CHECK(output.text() == "this is the program's and this is the worker's");
}

TEST_CASE("fork: a crash is a worker's", "[process][fork]") {
    test::run(crashes());
    CHECK_FALSE(test::has_children());
}

TEST_CASE("fork: a program with another thread is refused, as long as it has one",
          "[process][fork]") {
    asio::io_context loop;
    test::meeting meeting(loop);
    coproc::executor_options options = forking();
    options.max_failed_starts = 2;
    {
        std::thread second([name = meeting.name()] { test::visit(name).await_leave(); });
        auto stays = meeting.await_arrival();
        coproc::executor executor(loop, options);
        auto job = executor.submit(tell_places);
        test::run(loop);
        const auto got = std::move(job).get();
        CHECK(got.error() == errc::spawn_failed);
        CHECK(got.error().certainty() == certainty::not_started);
        CHECK_THAT(got.error().message(),
                   test::contains_text("start_method::fork is for programs with one thread, and "
                                       "this one has 2: "));
        stays.close();
        second.join();
    }
    CHECK(run_one(options, tell_places).has_value());
}

TEST_CASE("fork: executors with a thread of their own are refused", "[fork]") {
    const char* const why =
        "coproc: executor_options::start must be another than start_method::fork for reusable "
        "executors and for those with own_thread: it is for programs with one thread, and these "
        "have one of their own";
    CHECK_THROWS_WITH(coproc::executor(coproc::own_thread, forking()), why);
    CHECK_THROWS_WITH(coproc::get_reusable_executor(forking(), {.name = "fork"}), why);
    asio::io_context loop;
    coproc::executor_options options = forking();
    options.executable = "/bin/true";
    CHECK_THROWS_WITH(coproc::executor(loop, options),
                      "coproc: executor_options::executable must be empty with "
                      "start_method::fork, which executes no file");
}

TEST_CASE("fork: a worker's workers are copies of it, and end with it", "[process][fork]") {
    test::run(nested());
    CHECK_FALSE(test::has_children());
}
