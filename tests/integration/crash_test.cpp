#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"

#include <coproc/coproc.hpp>

#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/thread_pool.hpp>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <random>
#include <thread>

// Workers that end while they have tasks, between them, and before them.

namespace {

using coproc::certainty;
using coproc::errc;

int same(int n) { return n; }

[[gnu::noinline]] int trap_at_sixty(int n) {
    if (n == 60) {
        ::raise(SIGTRAP);
    }
    return n;
}

/// Ends its process, if it can.
int end_by(int how) {
    switch (how) {
    case 0:
        std::exit(0);
    case 1:
        std::exit(42);
    case 2:
        ::_exit(3);
    case 3:
        std::quick_exit(4);
    case 4:
        std::abort();
    case 5:
        std::terminate();
    case 6:
        std::thread([] { throw 1; }).join();
        break;
    case 7:
        ::kill(::getpid(), SIGKILL);
        break;
    default:
        break;
    }
    return how;
}

int raise_signal(int number) {
    ::raise(number);
    return number;
}

int overflow(int depth) {
    volatile char frame[4096];
    frame[0] = static_cast<char>(depth);
    return depth < 0 ? 0 : overflow(depth + 1) + frame[0];
}

int close_all(int) {
    for (int fd = 3; fd < 64; ++fd) {
        ::close(fd);
    }
    for (;;) {
        ::pause();
    }
}

int worker_pid() { return ::getpid(); }

int stay(std::string name) {
    test::visit(name).await_leave();
    return 1;
}

asio::awaitable<void> task_sixty() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    std::vector<coproc::job<int>> jobs;
    for (int i = 1; i <= 100; ++i) {
        jobs.push_back(executor.submit(trap_at_sixty, i));
    }
    for (int i = 1; i <= 100; ++i) {
        const auto got = co_await std::move(jobs[static_cast<std::size_t>(i - 1)]);
        INFO("task " << i);
        if (i != 60) {
            CHECK(got.value() == i);
            continue;
        }
        REQUIRE(got.has_error());
        CHECK(got.error() == errc::worker_terminated);
        CHECK(got.error().certainty() == certainty::may_have_run);
        CHECK(got.error().message().find("trap_at_sixty") != std::string::npos);
        CHECK(got.error().message().find("SIGTRAP") != std::string::npos);
        const auto worker = got.error().worker();
        REQUIRE(worker);
        CHECK(worker->signal == SIGTRAP);
        bool found = false;
        for (const coproc::stack_frame& frame : worker->backtrace) {
            found =
                found || (frame.function.find("trap_at_sixty") != std::string::npos &&
                          frame.file.find("crash_test.cpp") != std::string::npos && frame.line > 0);
        }
        CHECK(found);
    }
    CHECK(executor.stats().crashed_workers == 1);
}

void check_terminated(const coproc::result<int>& got, std::optional<int> signal,
                      std::optional<int> status) {
    REQUIRE(got.has_error());
    INFO(got.error().message());
    CHECK(got.error() == errc::worker_terminated);
    CHECK(got.error().certainty() == certainty::may_have_run);
    const auto worker = got.error().worker();
    REQUIRE(worker);
    CHECK(worker->signal == signal);
    CHECK(worker->status == status);
}

asio::awaitable<void> endings() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    struct expected {
        int how;
        std::optional<int> signal;
        std::optional<int> status;
    };
    const std::vector<expected> all{{0, {}, 0},       {1, {}, 42},      {2, {}, 3},
                                    {3, {}, 4},       {4, SIGABRT, {}}, {5, SIGABRT, {}},
                                    {6, SIGABRT, {}}, {7, SIGKILL, {}}};
    for (const expected& e : all) {
        INFO("ending " << e.how);
        const auto got = co_await executor.submit(end_by, e.how);
        check_terminated(got, e.signal, e.status);
        const auto got23 = co_await executor.submit(same, 5);
        CHECK(got23.value() == 5);
    }
}

asio::awaitable<void> signals() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGKILL,
                             SIGPIPE, SIGALRM, SIGUSR1}) {
        INFO("signal " << number);
        const auto got = co_await executor.submit(raise_signal, number);
        check_terminated(got, number, {});
    }
    const auto deep = co_await executor.submit(overflow, 1);
    check_terminated(deep, SIGSEGV, {});
    const auto closed = co_await executor.submit(close_all, 1);
    check_terminated(closed, SIGKILL, {});
    CHECK(closed.error().message().find("it had closed its connection") != std::string::npos);
    const auto got24 = co_await executor.submit(same, 5);
    CHECK(got24.value() == 5);
}

asio::awaitable<void> idle_death() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    for (int i = 0; i < 20; ++i) {
        const int pid = (co_await executor.submit(worker_pid)).value();
        const int watched = test::open_process(pid);
        ::kill(pid, SIGKILL);
        // In half of the rounds the next task meets a worker that is dying, in the others a dead
        // one.
        if (i % 2 == 0) {
            CHECK(test::await_end(watched, 10000));
        }
        ::close(watched);
        const auto next = co_await executor.submit(worker_pid);
        if (next) {
            CHECK(next.value() != pid);
        } else { // it had begun
            CHECK(next.error() == errc::worker_terminated);
            CHECK(i % 2 == 1);
        }
    }
}

asio::awaitable<void> death_while_starting() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    auto job = executor.submit(same, 3);
    while (test::children().empty()) {
        co_await test::turn();
    }
    for (const int pid : test::children()) {
        ::kill(pid, SIGKILL);
    }
    const auto got25 = co_await std::move(job);
    CHECK(got25.value() == 3);
    CHECK(executor.stats().started_workers == 2);
}

asio::awaitable<void> outside_signals() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    auto job = executor.submit(stay, meeting.name());
    int pid = 0;
    auto other = co_await meeting.arrival(&pid);
    ::kill(pid, SIGINT);
    // From a process that is not its parent.
    std::system(
        ("for s in TERM HUP QUIT INT; do kill -$s " + std::to_string(pid) + "; done").c_str());
    other.close();
    const auto got26 = co_await std::move(job);
    CHECK(got26.value() == 1);
}

/// What a storm of kills leaves: each job has completed once, and rightly.
struct storm {
    int right = 0;
    int lost = 0;
    int wrong = 0;
};

asio::awaitable<void> await_storm(std::vector<coproc::job<int>> jobs, storm& seen, bool& over) {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        const auto got = co_await std::move(jobs[i]);
        if (got.has_value() && got.value() == static_cast<int>(i)) {
            ++seen.right;
        } else if (got.has_error() && got.error() == errc::worker_terminated &&
                   got.error().certainty() != certainty::not_started) {
            ++seen.lost;
        } else {
            ++seen.wrong;
        }
    }
    over = true;
}

constexpr int storm_tasks = 10000;

int spin(int n) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(100);
    while (std::chrono::steady_clock::now() < end) {
    }
    return n;
}

asio::awaitable<void> kill_workers(const bool& over) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    std::minstd_rand choice(1);
    // Not for ever: where starting takes longer than this lets a worker live, nothing would ever
    // run.
    for (int kills = 0; !over && kills < 100; ++kills) {
        timer.expires_after(std::chrono::milliseconds(20));
        co_await timer.async_wait(asio::use_awaitable);
        const auto alive = test::children();
        if (!alive.empty()) {
            ::kill(alive[choice() % alive.size()], SIGKILL);
        }
    }
}

} // namespace

TEST_CASE("a crash costs the task that crashed, and no other of its worker", "[process][crash]") {
    test::run(task_sixty());
}
TEST_CASE("each way to end a worker is told as what it was", "[process][crash]") {
    test::run(endings());
}
TEST_CASE("each fatal signal is named", "[process][crash]") { test::run(signals()); }
TEST_CASE("a worker killed while idle costs nothing", "[process][crash]") {
    test::run(idle_death());
}
TEST_CASE("a worker has its time to start from when it is started", "[process]") {
    asio::io_context loop;
    // It may take that long under a sanitizer, too.
    const auto limit = std::chrono::seconds(2);
    coproc::executor executor(loop,
                              {.max_workers = 1, .max_failed_starts = 1, .start_timeout = limit});
    std::optional<coproc::job<int>> job;
    asio::post(loop, [&] {
        job = executor.submit(same, 7);
        std::this_thread::sleep_for(limit + limit / 10);
    });
    test::run(loop);
    CHECK(std::move(*job).get().value() == 7);
}
TEST_CASE("a worker killed while it starts costs nothing", "[process][crash]") {
    test::run(death_while_starting());
}
TEST_CASE("workers do not end by signals to their terminal or service", "[process][crash]") {
    test::run(outside_signals());
}
TEST_CASE("ten thousand tasks end rightly while workers are killed", "[process][crash]") {
    const std::size_t descriptors = test::open_descriptors();
    {
        asio::io_context loop;
        // It may well be that none is ready before it is killed.
        coproc::executor executor(loop, {.max_workers = 4, .max_failed_starts = 10000});
        std::vector<coproc::job<int>> jobs;
        for (int i = 0; i < storm_tasks; ++i) {
            jobs.push_back(executor.submit(spin, i));
        }
        storm seen;
        bool over = false;
        asio::co_spawn(loop, kill_workers(over), asio::detached);
        test::run(loop, await_storm(std::move(jobs), seen, over));
        CHECK(seen.right + seen.lost == 10000);
        CHECK(seen.wrong == 0);
        // Each death costs the one task that had begun.
        CHECK(static_cast<std::size_t>(seen.lost) <= executor.stats().crashed_workers);
        auto last = executor.submit(same, 7);
        test::run(loop);
        CHECK(last.ready());
        CHECK(std::move(last).get().value() == 7);
    }
    CHECK_FALSE(test::has_children());
    CHECK(test::descriptors_settle(descriptors));
}

TEST_CASE("on a loop of several threads, too, a killed worker costs one task at most",
          "[process][crash][threads]") {
    asio::thread_pool loop(2);
    coproc::executor executor(loop, {.max_workers = 2, .max_failed_starts = 10000});
    std::vector<coproc::job<int>> jobs;
    for (int i = 0; i < storm_tasks; ++i) {
        jobs.push_back(executor.submit(spin, i));
    }
    std::atomic<bool> over = false;
    std::thread killer([&] {
        for (int kills = 0; !over && kills < 100; ++kills) {
            while (!over && executor.stats().busy_workers == 0) {
                std::this_thread::yield();
            }
            const auto alive = test::children();
            if (!alive.empty()) {
                const int watched = test::open_process(alive.front());
                ::kill(alive.front(), SIGKILL);
                test::await_end(watched, 10000);
                ::close(watched);
            }
        }
    });
    std::size_t lost = 0;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        const auto got = std::move(jobs[i]).get();
        if (got.has_value()) {
            CHECK(got.value() == static_cast<int>(i));
        } else {
            CHECK(got.error() == errc::worker_terminated);
            ++lost;
        }
    }
    over = true;
    killer.join();
    CHECK(lost <= executor.stats().crashed_workers);
}
