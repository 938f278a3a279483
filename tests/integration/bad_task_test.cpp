#include "support/catch.hpp"
#include "support/compute.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"

#include <coproc/coproc.hpp>

#include <array>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

#include <unistd.h>

// Tasks that do what no task should. Each costs itself, and nothing else: what was submitted before
// and after it has its result, no process is left, and the loop comes to its end.

namespace {

using coproc::certainty;
using coproc::errc;
using namespace std::chrono_literals;

int same(int n) { return n; }

/// What its codec does, on the side of the worker.
enum class mischief : int {
    none,
    exit_while_encoded,
    crash_while_encoded,
    throw_while_encoded,
    throw_number_while_encoded,
    exit_while_decoded,
    throw_while_decoded,
    throw_number_while_decoded,
};

struct mischievous {
    mischief how = mischief::none;
    std::string load = std::string(1000, 'x'); ///< a part of it is written before
};

} // namespace

template <>
struct coproc::codec<mischievous> {
    static void encode(encoder& out, const mischievous& value) {
        out.write(value.how);
        out.write(value.load);
        switch (value.how) {
        case mischief::exit_while_encoded:
            std::exit(9);
        case mischief::crash_while_encoded:
            std::raise(SIGSEGV);
            break;
        case mischief::throw_while_encoded:
            throw std::runtime_error("no words");
        case mischief::throw_number_while_encoded:
            throw 7;
        default:
            break;
        }
    }
    static mischievous decode(decoder& in) {
        mischievous value{in.read<mischief>(), in.read<std::string>()};
        switch (value.how) {
        case mischief::exit_while_decoded:
            std::exit(9);
        case mischief::throw_while_decoded:
            throw std::runtime_error("no ears");
        case mischief::throw_number_while_decoded:
            throw 7;
        default:
            return value;
        }
    }
};

namespace {

mischievous answer(int how) { return {static_cast<mischief>(how)}; }
int listen(mischievous) { return 0; }

// ---- tasks that do not end

int ignore_stop(std::stop_token, int) { coproc::test::compute_for_ever(); }

int block_signals(int) {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    coproc::test::compute_for_ever();
}

int ignore_signals(int) {
    for (const int number :
         {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGSEGV, SIGABRT}) {
        std::signal(number, SIG_IGN);
    }
    coproc::test::compute_for_ever();
}

int stop_itself(int) {
    ::raise(SIGSTOP);
    return 0;
}

int leave_group(int) {
    ::setsid();
    ::setpgid(0, 0);
    coproc::test::compute_for_ever();
}

int write_for_ever(int) {
    const std::string line(1000, 'x');
    for (;;) {
        if (::write(STDOUT_FILENO, line.data(), line.size()) < 0 ||
            ::write(STDERR_FILENO, line.data(), line.size()) < 0) {
            std::_Exit(1);
        }
    }
}

int wait_for_input(int) {
    int ends[2];
    if (::pipe(ends) != 0) {
        return 1;
    }
    char byte;
    return static_cast<int>(::read(ends[0], &byte, 1));
}

// ---- tasks that spoil their process

void close_from(int first, int last) {
    for (int descriptor = first; descriptor <= last; ++descriptor) {
        ::close(descriptor);
    }
}

int close_outputs(int n) {
    close_from(0, 2);
    return n;
}

int close_everything(int) {
    close_from(0, 255);
    for (;;) {
        ::pause();
    }
}

int close_everything_and_return(int n) {
    close_from(0, 255);
    return n;
}

/// Starts a process that has all its descriptors, is in a session of its own, and ends when the
/// test says so.
void leave_child(const std::string& name, bool floods) {
    int ready[2];
    if (::pipe(ready) != 0) {
        std::abort();
    }
    const pid_t child = ::fork();
    if (child != 0) {
        ::close(ready[1]);
        char byte;
        static_cast<void>(::read(ready[0], &byte, 1)); // until then it is in the worker's group
        ::close(ready[0]);
        return;
    }
    ::setsid();
    test::visit visit(name);
    ::close(ready[0]);
    ::close(ready[1]);
    if (floods) {
        write_for_ever(0);
    }
    visit.await_leave();
    ::_exit(0);
}

int leave_child_and_die(std::string name, bool floods) {
    leave_child(name, floods);
    std::_Exit(9);
}

int leave_child_and_return(std::string name, bool floods) {
    leave_child(name, floods);
    return 1;
}

// ---- how they are run

struct bad_task {
    const char* name;
    coproc::job<int> (*submit)(coproc::executor&);
    std::optional<errc> code; ///< none: it has a value
    certainty how = certainty::may_have_run;
};

/// Ends by a time-out, without grace.
template <int (*Task)(int)>
coproc::job<int> limited(coproc::executor& executor) {
    return executor.submit({.run_timeout = 300ms, .grace = 0ms}, Task, 7);
}

template <int (*Task)(int)>
coproc::job<int> unlimited(coproc::executor& executor) {
    return executor.submit(Task, 7);
}

const std::vector<bad_task> endless{
    {"ignores its stop token",
     [](coproc::executor& executor) {
         return executor.submit({.run_timeout = 300ms, .grace = 50ms}, ignore_stop, 7);
     },
     errc::timed_out},
    {"blocks all signals", limited<block_signals>, errc::timed_out},
    {"ignores signals", limited<ignore_signals>, errc::timed_out},
    {"stops itself", limited<stop_itself>, errc::timed_out},
    {"leaves its process group", limited<leave_group>, errc::timed_out},
    {"waits for what never comes", limited<wait_for_input>, errc::timed_out},
};

const std::vector<bad_task> endless_output{
    {"writes for ever", limited<write_for_ever>, errc::timed_out},
};

const std::vector<bad_task> spoilers{
    {"closes its outputs", unlimited<close_outputs>, {}},
    {"closes everything", unlimited<close_everything>, errc::worker_terminated},
};

/// With tasks before it and behind it, as many as a pipe takes, in one worker and in two.
asio::awaitable<void> costs_itself(bad_task bad, coproc::executor_options options) {
    INFO(bad.name << ", " << *options.max_workers << " workers");
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, options);
    std::vector<coproc::job<int>> good;
    for (int i = 0; i < 5; ++i) {
        good.push_back(executor.submit(same, i));
    }
    auto job = bad.submit(executor);
    for (int i = 5; i < 20; ++i) {
        good.push_back(executor.submit(same, i));
    }
    const auto got = co_await std::move(job);
    if (bad.code) {
        REQUIRE(got.has_error());
        INFO(got.error().message());
        CHECK(got.error() == *bad.code);
        CHECK(got.error().certainty() == bad.how);
    } else {
        CHECK(got.has_value());
    }
    for (int i = 0; i < 20; ++i) {
        const auto other = co_await std::move(good[static_cast<std::size_t>(i)]);
        REQUIRE(other.has_value());
        CHECK(other.value() == i);
    }
    const auto next = co_await executor.submit(same, 21);
    CHECK(next.value() == 21);
}

void each_costs_itself(const std::vector<bad_task>& tasks, bool capture_output) {
    const std::size_t descriptors = test::open_descriptors();
    for (const bad_task& task : tasks) {
        for (const std::size_t workers : {1, 2}) {
            const coproc::executor_options options{.max_workers = workers,
                                                   .capture_output = capture_output};
            test::run(costs_itself(task, options));
        }
    }
    CHECK_FALSE(test::has_children());
    CHECK(test::descriptors_settle(descriptors));
}

asio::awaitable<void> closes_and_returns() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .capture_output = true});
    for (int i = 0; i < 5; ++i) {
        // Its answer counts if it was there before the connection was missed.
        const auto got = co_await executor.submit(close_everything_and_return, i);
        if (got.has_value()) {
            CHECK(got.value() == i);
        } else {
            INFO(got.error().message());
            CHECK(got.error() == errc::worker_terminated);
            CHECK(got.error().certainty() != certainty::not_started);
        }
        const auto next = co_await executor.submit(same, i);
        REQUIRE(next.has_value());
        CHECK(next.value() == i);
    }
}

asio::awaitable<void> answers() {
    struct expected {
        mischief how;
        errc code;
        const char* says;
    };
    const std::array all{
        expected{mischief::exit_while_encoded, errc::worker_terminated, "exited with status 9"},
        expected{mischief::crash_while_encoded, errc::worker_terminated, "SIGSEGV"},
        expected{mischief::throw_while_encoded, errc::encode_failed, "no words"},
        expected{mischief::throw_number_while_encoded, errc::encode_failed, "no std::exception"},
        expected{mischief::throw_while_decoded, errc::decode_failed, "no ears"},
    };
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    for (const expected& e : all) {
        INFO(e.says);
        const int pid = (co_await executor.submit(::getpid)).value();
        const auto got = co_await executor.submit(answer, static_cast<int>(e.how));
        REQUIRE(got.has_error());
        INFO(got.error().message());
        CHECK(got.error() == e.code);
        CHECK(got.error().certainty() == certainty::ran);
        CHECK(got.error().message().find(e.says) != std::string::npos);
        CHECK(got.error().message().find("its result is lost") != std::string::npos);
        const auto next = co_await executor.submit(::getpid);
        REQUIRE(next.has_value());
        CHECK((next.value() == pid) == (e.code != errc::worker_terminated));
    }
}

asio::awaitable<void> arguments() {
    struct expected {
        mischief how;
        errc code;
        certainty certain;
        const char* says;
    };
    const std::array all{
        expected{mischief::throw_while_decoded, errc::decode_failed, certainty::not_started,
                 "no ears"},
        expected{mischief::throw_number_while_decoded, errc::decode_failed, certainty::not_started,
                 "no std::exception"},
        expected{mischief::exit_while_decoded, errc::worker_terminated, certainty::may_have_run,
                 "exited with status 9"},
    };
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    for (const expected& e : all) {
        INFO(e.says);
        const int pid = (co_await executor.submit(::getpid)).value();
        const mischievous argument{e.how};
        const auto got = co_await executor.submit(listen, argument);
        REQUIRE(got.has_error());
        INFO(got.error().message());
        CHECK(got.error() == e.code);
        CHECK(got.error().certainty() == e.certain);
        CHECK(got.error().message().find(e.says) != std::string::npos);
        const auto next = co_await executor.submit(::getpid);
        REQUIRE(next.has_value());
        CHECK((next.value() == pid) == (e.code != errc::worker_terminated));
    }
}

/// A process that the task left behind holds socket, page and pipes, while its worker has died or
/// goes on.
asio::awaitable<void> child_left_behind(bool floods, bool dies, int& watched,
                                        std::optional<test::meeting_socket>& child) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .capture_output = true});
    test::meeting meeting(loop);
    auto job = executor.submit(dies ? leave_child_and_die : leave_child_and_return, meeting.name(),
                               floods);
    int pid = 0;
    child.emplace(co_await meeting.arrival(&pid));
    watched = test::open_process(pid);
    const auto got = co_await std::move(job);
    if (dies) {
        REQUIRE(got.has_error());
        INFO(got.error().message());
        CHECK(got.error() == errc::worker_terminated);
        CHECK(got.error().worker()->status == 9);
    } else {
        CHECK(got.has_value());
    }
    for (int i = 0; i < 3; ++i) {
        const auto next = co_await executor.submit(same, i);
        CHECK(next.value() == i);
    }
}

} // namespace

TEST_CASE("a task that never ends costs itself", "[process][bad_task]") {
    each_costs_itself(endless, false);
}

TEST_CASE("a task that never ends costs itself when its output is captured",
          "[process][bad_task]") {
    each_costs_itself(endless, true);
    each_costs_itself(endless_output, true);
}

TEST_CASE("a task that closes what is not its own costs itself at most", "[process][bad_task]") {
    each_costs_itself(spoilers, false);
    each_costs_itself(spoilers, true);
}

TEST_CASE("a task that closes everything and returns costs itself at most", "[process][bad_task]") {
    test::run(closes_and_returns());
}

TEST_CASE("a task that ends in the middle of its answer costs itself", "[process][bad_task]") {
    test::run(answers());
}

TEST_CASE("a task whose arguments fail in the worker costs itself", "[process][bad_task]") {
    test::run(arguments());
}

TEST_CASE("what a task leaves behind holds nothing up", "[process][bad_task]") {
    const std::size_t descriptors = test::open_descriptors();
    for (const bool floods : {false, true}) {
        for (const bool dies : {false, true}) {
            INFO("floods " << floods << ", dies " << dies);
            int watched = -1;
            asio::io_context loop;
            std::optional<test::meeting_socket> child;
            test::run(loop, child_left_behind(floods, dies, watched, child));
            // A flood ends when nobody can read it any more; the other child waits for us.
            if (!floods) {
                child.reset();
            }
            CHECK(test::await_end(watched, 20000));
            ::close(watched);
        }
    }
    CHECK_FALSE(test::has_children());
    CHECK(test::descriptors_settle(descriptors));
}
