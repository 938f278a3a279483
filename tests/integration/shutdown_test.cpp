#include "support/catch.hpp"
#include "support/compute.hpp"
#include "support/interruptible.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"
#include "support/watcher.hpp"
#include "support/workers.hpp"

#include <coproc/coproc.hpp>
#include <coproc/map.hpp>
#include <coproc/wait.hpp>

#include <asio/detached.hpp>
#include <asio/executor_work_guard.hpp>

#include <csignal>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>

// The ends of executors and of processes, as loky's tests ask for them (docs/loky.md).

namespace {

/// What cannot be encoded: it throws an exception, or something that is none.
struct obstinate {
    bool exception;
};

} // namespace

template <>
struct coproc::codec<obstinate> {
    static void encode(encoder&, const obstinate& o) {
        if (o.exception) {
            throw std::runtime_error("not me");
        }
        throw 42;
    }
    static obstinate decode(decoder&) { return {true}; }
};

namespace {

using coproc::errc;
using coproc::shutdown_mode;
using namespace std::chrono_literals;

int same(int n) { return n; }
int take(obstinate) { return 1; }
int own_pid() { return ::getpid(); }
int stay(const std::string& name) {
    test::visit(name).await_leave();
    return ::getpid();
}

int compute(const std::string& name) {
    const test::visit here(name);
    coproc::test::compute_for_ever();
}

/// Tasks that cannot be encoded, and a shutdown right after them.
void shut_down_over(obstinate argument) {
    for (int i = 0; i < 5; ++i) {
        coproc::executor executor(coproc::own_thread, {.max_workers = 2});
        auto job = executor.submit(take, argument);
        auto fine = executor.submit(same, i);
        executor.shutdown();
        CHECK(std::move(job).get().error() == errc::encode_failed);
        CHECK(std::move(fine).get().value() == i);
        CHECK_FALSE(test::has_children());
    }
}

asio::awaitable<void> no_wait(std::optional<coproc::shutdown_report>& report) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    test::meeting meeting(loop);
    auto first = executor.submit(stay, meeting.name());
    auto second = executor.submit(stay, meeting.name());
    auto behind = executor.submit(same, 3);
    auto one = co_await meeting.arrival();
    auto other = co_await meeting.arrival();
    executor.async_shutdown({}, [&](coproc::shutdown_report r) { report = r; });
    const auto late = co_await executor.submit(same, 4);
    CHECK(late.error() == errc::executor_shutdown);
    CHECK_FALSE(first.ready());
    CHECK_FALSE(report);
    one.close();
    other.close();
    const auto got = co_await std::move(first);
    CHECK(got.has_value());
    const auto got_second = co_await std::move(second);
    CHECK(got_second.has_value());
    const auto got_behind = co_await std::move(behind);
    CHECK(got_behind.value() == 3);
    while (!report) {
        co_await test::turn();
    }
    CHECK((test::children().empty()));
}

asio::awaitable<void> processes_terminate() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 3});
    test::meeting meeting(loop);
    std::vector<coproc::job<int>> jobs;
    std::vector<test::meeting_socket> others;
    for (int i = 0; i < 3; ++i) {
        jobs.push_back(executor.submit(stay, meeting.name()));
    }
    for (int i = 0; i < 3; ++i) {
        others.push_back(co_await meeting.arrival());
    }
    CHECK(executor.stats().busy_workers == 3);
    CHECK((test::workers().size() == 3));
    others.clear();
    co_await executor.async_shutdown({}, asio::use_awaitable);
    CHECK((test::children().empty()));
    CHECK(executor.stats().leaving_workers == 0);
}

/// A worker that computes, and the descriptor that tells of its end.
struct watched_worker {
    asio::io_context loop;
    test::watcher seen;
    std::optional<coproc::executor> executor;
    int pidfd = -1;
    int pid = 0;

    watched_worker() {
        executor.emplace(loop, coproc::executor_options{.max_workers = 1,
                                                        .watch_idle = true,
                                                        .observer = seen.observer()});
        auto job = executor->submit(own_pid);
        while (!job.ready()) {
            loop.run_one();
        }
        pid = std::move(job).get().value();
        pidfd = test::open_process(pid);
        REQUIRE(pidfd >= 0);
    }
    watched_worker(const watched_worker&) = delete;
    watched_worker& operator=(const watched_worker&) = delete;
    ~watched_worker() { ::close(pidfd); }
};

std::size_t threads() {
    std::filesystem::directory_iterator all("/proc/self/task");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// The files that the process has open, besides stdin, stdout and stderr.
std::vector<std::string> open_files() {
    std::vector<std::string> found;
    std::error_code closed;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        const std::string path = std::filesystem::read_symlink(entry.path(), closed);
        if (std::stoi(entry.path().filename()) > 2 && !closed &&
            path.find("/fd") == std::string::npos) { // not the directory that is read here
            found.push_back(path);
        }
    }
    return found;
}

} // namespace

TEST_CASE("test_run_after_shutdown: who comes late is told so", "[shutdown]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    executor.shutdown();
    const auto late = executor.submit(same, 1).get();
    CHECK(late.error() == errc::executor_shutdown);
    CHECK(late.error().safe_to_retry());
}

TEST_CASE("test_shutdown_with_pickle_error, test_shutdown_with_sys_exit_at_pickle: what cannot be "
          "encoded holds no shutdown up",
          "[shutdown]") {
    shut_down_over({.exception = true});
    shut_down_over({.exception = false});
}

TEST_CASE("test_shutdown_deadlock_pickle: nor one that nobody waits for", "[shutdown]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto running = executor.submit(same, 1);
    auto job = executor.submit(take, obstinate{true});
    executor.async_shutdown({}, asio::detached);
    test::run(loop);
    CHECK(std::move(running).get().value() == 1);
    CHECK(std::move(job).get().error() == errc::encode_failed);
    CHECK_FALSE(test::has_children());
}

TEST_CASE("test_hang_issue12364: after a shutdown all tasks have results", "[shutdown]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 2});
    std::vector<coproc::job<int>> jobs;
    for (int i = 0; i < 50; ++i) {
        jobs.push_back(executor.submit(same, i));
    }
    const auto report = executor.shutdown();
    CHECK(report.cancelled == 0);
    CHECK(report.lost == 0);
    CHECK(report.killed_workers == 0);
    for (int i = 0; i < 50; ++i) {
        auto& job = jobs[static_cast<std::size_t>(i)];
        REQUIRE(job.ready());
        CHECK(std::move(job).get().value() == i);
    }
}

TEST_CASE("test_processes_terminate: as many as wanted, and none after a shutdown",
          "[process][shutdown]") {
    test::run(processes_terminate());
}

TEST_CASE("test_context_manager_shutdown: a map in a scope that ends with a shutdown",
          "[shutdown]") {
    {
        coproc::executor executor(coproc::own_thread, {.max_workers = 2});
        const std::vector<int> range{1, 2, 3, 4, 5};
        CHECK(executor.map(same, range).get().value() == range);
        executor.shutdown();
        CHECK_FALSE(test::has_children());
    }
    CHECK_FALSE(test::has_children());
}

TEST_CASE("test_del_shutdown, test_processes_terminate_on_executor_gc: an executor leaves neither "
          "thread nor process, and its tasks are told",
          "[process][shutdown]") {
    const std::size_t before = threads();
    std::optional<coproc::job<int>> running;
    std::optional<coproc::job<int>> behind;
    asio::io_context meetings;
    test::meeting meeting(meetings);
    std::optional<decltype(meeting.await_arrival())> other; // the task stays as long as it is there
    {
        coproc::executor executor(coproc::own_thread, {.max_workers = 1});
        CHECK(executor.submit(same, 1).get().value() == 1);
        running = executor.submit(stay, meeting.name());
        behind = executor.submit(same, 2);
        other.emplace(meeting.await_arrival());
    }
    CHECK(threads() == before);
    CHECK_FALSE(test::has_children());
    REQUIRE(running->ready());
    CHECK(std::move(*running).get().error() == errc::executor_shutdown);
    CHECK(std::move(*behind).get().error() == errc::executor_shutdown);
}

TEST_CASE("test_shutdown_no_wait: what runs goes on, and nothing new is taken", "[shutdown]") {
    std::optional<coproc::shutdown_report> report;
    test::run(no_wait(report));
    REQUIRE(report);
    CHECK(report->cancelled == 0);
    CHECK(report->killed_workers == 0);
}

TEST_CASE("test_terminate: a computing worker ends at once, and nobody waits for it",
          "[process][shutdown]") {
    watched_worker w;
    test::meeting meeting(w.loop);
    auto job = w.executor->submit(compute, meeting.name());
    asio::co_spawn(
        w.loop,
        [&]() -> asio::awaitable<void> {
            auto other = co_await meeting.arrival();
            w.executor->stop();
            CHECK(test::await_end(w.pidfd, 10000)); // the other end of `other` is open
        },
        asio::detached);
    test::run(w.loop);
    CHECK(std::move(job).get().error() == errc::executor_shutdown);
    CHECK_FALSE(test::has_children());
    // And a wait that may take no time takes none.
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    std::vector<coproc::job<int>> jobs;
    jobs.push_back(executor.submit(stay, meeting.name()));
    for (const auto limit : {0s, -1s}) {
        CHECK_FALSE(coproc::wait(jobs, coproc::wait_condition::all_completed, limit));
    }
}

TEST_CASE("test_sentinel, test_wait_sentinel: an end is seen when it is there, with its signal",
          "[process][shutdown]") {
    watched_worker w;
    CHECK_FALSE(test::await_end(w.pidfd, 0));
    CHECK(w.seen.all<coproc::worker_ended>().empty());
    ::kill(w.pid, test::end_of_idle); // from the worker's parent it counts
    CHECK(test::await_end(w.pidfd, 10000));
    while (w.seen.all<coproc::worker_ended>().empty()) {
        w.loop.run_one();
    }
    const auto ended = w.seen.at<coproc::worker_ended>(0);
    CHECK(ended.worker.pid == w.pid);
    CHECK(ended.signal == test::end_of_idle);
    CHECK_FALSE(ended.killed);
    CHECK(w.executor->stats().crashed_workers == 1);
    w.executor.reset();
    test::run(w.loop);
}

TEST_CASE("test_sync_object_handling: a worker has its own descriptors, and none of ours",
          "[process][shutdown]") {
    const int ours = ::open("/proc/self/exe", O_RDONLY); // it would be inherited
    REQUIRE(ours >= 0);
    {
        coproc::executor executor(coproc::own_thread, {.max_workers = 2});
        asio::io_context meetings;
        test::meeting meeting(meetings);
        auto busy = executor.submit(stay, meeting.name());
        auto other = meeting.await_arrival();
        // Of another worker, which was started while there was the first one.
        const auto files = executor.submit(open_files).get();
        REQUIRE(files);
        CHECK(files.value().size() <= 3);
        for (const std::string& file : files.value()) {
            INFO(file);
            CHECK((file.starts_with("socket:") || file.find("memfd:") != std::string::npos ||
                   file.starts_with("anon_inode:")));
        }
        other.close();
        CHECK(std::move(busy).get().has_value());
    }
    ::close(ours);
}

TEST_CASE("an executor may be destroyed by another thread while its loop runs",
          "[shutdown][threads]") {
    for (int round = 0; round < 30; ++round) {
        asio::io_context loop;
        auto work = asio::make_work_guard(loop);
        std::thread runs([&] { loop.run(); });
        auto executor = std::make_unique<coproc::executor>(
            loop, coproc::executor_options{.max_workers = 2, .watch_idle = true});
        std::vector<coproc::job<int>> jobs;
        for (int i = 0; i < 10; ++i) {
            jobs.push_back(executor->submit(same, i));
        }
        if (round % 2 == 0) {
            static_cast<void>(std::move(jobs.front()).get());
            jobs.erase(jobs.begin());
        }
        executor.reset();
        for (auto& job : jobs) {
            CHECK(job.ready()); // when the destructor has returned
            const auto got = std::move(job).get();
            CHECK((got.has_value() || got.error() == errc::executor_shutdown));
        }
        work.reset();
        runs.join();
    }
    CHECK_FALSE(test::has_children());
}
