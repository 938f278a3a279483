#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"
#include "support/workers.hpp"

#include <coproc/coproc.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/detached.hpp>

#include <atomic>
#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <thread>

// How many workers there are: resizes, idle time-outs, warm-ups and replacements, with real ones.

namespace {

using coproc::certainty;
using coproc::errc;
using namespace std::chrono_literals;

int same(int n) { return n; }

std::size_t slot() { return coproc::this_worker::slot(); }

/// Says where it is and stays until it is let go.
std::size_t stay(std::string name) {
    test::visit(name).await_leave();
    return coproc::this_worker::slot();
}

/// Goes round the loop until it is so: the executor's news come on it.
template <class Condition>
asio::awaitable<void> until(Condition condition) {
    while (!condition()) {
        co_await test::turn();
    }
}

std::size_t ready_workers(const coproc::executor& executor) {
    const coproc::executor_stats s = executor.stats();
    return s.idle_workers + s.busy_workers;
}

asio::awaitable<void> grown_on_demand() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 4});
    for (int i = 0; i < 10; ++i) {
        const auto got = co_await executor.submit(same, i);
        CHECK(got.value() == i);
    }
    CHECK(executor.stats().started_workers == 1);
    test::meeting meeting(loop);
    auto first = executor.submit(stay, meeting.name());
    auto one = co_await meeting.arrival();
    CHECK(executor.stats().started_workers == 1);
    auto second = executor.submit(stay, meeting.name());
    auto other = co_await meeting.arrival();
    CHECK(executor.stats().started_workers == 2);
    one.close();
    other.close();
    const auto a = co_await std::move(first);
    const auto b = co_await std::move(second);
    CHECK(a.value() + b.value() == 1); // their slots
}

asio::awaitable<void> warm() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 3});
    const auto warmed = co_await executor.async_start(2);
    CHECK(warmed.has_value());
    CHECK(executor.stats().idle_workers == 2);
    CHECK(executor.stats().submitted == 0);
    const auto all = co_await executor.async_start(100);
    CHECK(all.has_value());
    CHECK(executor.stats().idle_workers == 3);
    const auto got = co_await executor.submit(same, 1);
    CHECK(got.value() == 1);
    CHECK(executor.stats().started_workers == 3);
    co_await executor.async_shutdown();
    const auto late = co_await executor.async_start(1);
    CHECK(late.error() == errc::executor_shutdown);
    CHECK(late.error().certainty() == certainty::not_started);
}

asio::awaitable<void> warm_in_vain() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(
        loop, {.max_workers = 2, .executable = "/nowhere/at/all", .max_failed_starts = 2});
    const auto failed = co_await executor.async_start(2);
    REQUIRE(failed.has_error());
    CHECK(failed.error() == errc::spawn_failed);
    CHECK(failed.error().message().find("/nowhere/at/all") != std::string::npos);
    const auto again = co_await executor.async_start(2);
    CHECK(again.error() == errc::executor_broken);
}

asio::awaitable<void> warm_until_cancelled(asio::cancellation_type type) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    asio::cancellation_signal signal;
    std::optional<coproc::result<void>> got;
    executor.async_start(
        2, asio::bind_cancellation_slot(signal.slot(), [&](coproc::result<void> r) { got = r; }));
    CHECK(executor.stats().starting_workers == 2);
    signal.emit(type);
    co_await until([&] { return got.has_value(); });
    REQUIRE(got->has_error());
    CHECK(got->error() == errc::cancelled);
    CHECK(got->error().certainty() == certainty::not_started);
    const auto warmed = co_await executor.async_start(2);
    CHECK(warmed.has_value());
    CHECK(executor.stats().started_workers == 2); // those that were on their way
}

/// What a worker that has left might have taken is over with it.
void shut_down_while_idle_workers_are_watched() {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1, .exit_timeout = 1h, .watch_idle = true});
    auto job = executor.submit(same, 1);
    bool ended = false;
    executor.async_shutdown({}, [&](coproc::shutdown_report) { ended = true; });
    test::run(loop);
    CHECK(ended);
    CHECK(job.ready());
}

asio::awaitable<void> kept() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 4, .min_workers = 2});
    const auto got = co_await executor.submit(same, 1);
    CHECK(got.value() == 1);
    co_await until([&] { return executor.stats().idle_workers == 2; });
    const auto before = test::workers();
    REQUIRE(before.size() == 2);
    ::kill(before.front(), SIGKILL);
    co_await until([&] {
        return executor.stats().crashed_workers == 1 && executor.stats().idle_workers == 2;
    });
    CHECK(executor.stats().started_workers == 3);
}

// loky: test_reusable_executor_resize
asio::awaitable<void> resized() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    const auto warmed = co_await executor.async_start(2);
    REQUIRE(warmed.has_value());
    test::meeting meeting(loop);
    auto first = executor.submit(stay, meeting.name());
    auto one = co_await meeting.arrival();
    auto second = executor.submit(stay, meeting.name());
    auto other = co_await meeting.arrival();
    // Fewer: nothing that runs is hurt, and what has not begun goes to who stays.
    auto third = executor.submit(stay, meeting.name());
    auto fourth = executor.submit(same, 4);
    executor.resize(1);
    CHECK(executor.stats().leaving_workers == 1);
    CHECK(executor.stats().busy_workers == 1);
    one.close();
    other.close();
    const auto a = co_await std::move(first);
    const auto b = co_await std::move(second);
    CHECK(a.value() + b.value() == 1); // their slots
    auto next = co_await meeting.arrival();
    next.close();
    const auto c = co_await std::move(third);
    CHECK(c.value() == 0);
    const auto d = co_await std::move(fourth);
    CHECK(d.value() == 4);
    co_await until([&] { return executor.stats().leaving_workers == 0; });
    CHECK(executor.stats().idle_workers == 1);
    CHECK(executor.stats().started_workers == 2);
    CHECK(executor.stats().crashed_workers == 0);
    // More: the one that is there stays, and another is started while it works.
    executor.resize(1);
    auto fifth = executor.submit(stay, meeting.name());
    auto here = co_await meeting.arrival();
    auto sixth = executor.submit(slot);
    executor.resize(2);
    const auto f = co_await std::move(sixth);
    CHECK(f.value() == 1);
    here.close();
    const auto e = co_await std::move(fifth);
    CHECK(e.value() == 0);
    CHECK(executor.stats().started_workers == 3);
}

// loky: test_reusable_executor_resize_many_times, with tasks all the time
asio::awaitable<void> resized_many_times() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    std::vector<coproc::job<int>> jobs;
    int submitted = 0;
    for (int round = 0; round < 3; ++round) {
        for (const std::size_t size : {12, 2, 1, 12, 6, 1, 8, 5}) {
            for (int i = 0; i < 20; ++i) {
                jobs.push_back(executor.submit(same, submitted++));
            }
            executor.resize(size);
            const coproc::executor_stats s = executor.stats();
            CHECK(s.starting_workers + s.idle_workers + s.busy_workers <= size);
            co_await test::turn();
        }
    }
    for (int i = 0; i < submitted; ++i) {
        const auto got = co_await std::move(jobs[static_cast<std::size_t>(i)]);
        REQUIRE(got.has_value());
        CHECK(got.value() == i);
    }
    CHECK(executor.stats().crashed_workers == 0);
    co_await until([&] { return executor.stats().leaving_workers == 0; });
    CHECK(ready_workers(executor) + executor.stats().starting_workers <= 5);
}

// loky: test_resize_after_timeout
asio::awaitable<void> resized_after_timeout() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2, .idle_timeout = 1ms});
    for (const std::size_t size : {1, 3, 2, 4}) {
        const auto got = co_await executor.submit(same, 1);
        CHECK(got.value() == 1);
        co_await until(
            [&] { return ready_workers(executor) == 0 && executor.stats().leaving_workers == 0; });
        CHECK(test::workers().empty());
        executor.resize(size);
    }
    CHECK(executor.stats().crashed_workers == 0);
}

// loky: test_worker_timeout_mock, test_worker_timeout_with_slowly_pickling_objects
asio::awaitable<void> timing_out() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 3, .idle_timeout = 0ms});
    for (int i = 0; i < 40; ++i) {
        // It meets a worker that has just been asked to exit.
        co_await until([&] { return executor.stats().idle_workers == 0; });
        const auto got = co_await executor.submit(same, i);
        REQUIRE(got.has_value());
        CHECK(got.value() == i);
    }
    CHECK(executor.stats().started_workers == 40);
    CHECK(executor.stats().crashed_workers == 0);
    co_await executor.async_shutdown();
}

// loky: test_worker_timeout_shutdown_no_deadlock
asio::awaitable<void> shut_down_while_timing_out() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2, .idle_timeout = 0ms});
    auto last = executor.submit(same, 1);
    const auto first = co_await executor.submit(same, 2);
    CHECK(first.value() == 2);
    const auto report = co_await executor.async_shutdown();
    CHECK(report.killed_workers == 0);
    REQUIRE(last.ready());
    CHECK(std::move(last).get().value() == 1);
}

asio::awaitable<void> spare_ones_go() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 3, .min_workers = 1, .idle_timeout = 20ms});
    const auto warmed = co_await executor.async_start(3);
    REQUIRE(warmed.has_value());
    co_await until([&] { return executor.stats().idle_workers == 1; });
    CHECK(executor.stats().crashed_workers == 0);
    co_await until([&] { return executor.stats().leaving_workers == 0; });
    CHECK(executor.stats().idle_workers == 1);
}

// There is always a task, but never for more than one of them.
asio::awaitable<void> spare_ones_go_meanwhile() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 3, .idle_timeout = 20ms});
    const auto warmed = co_await executor.async_start(3);
    REQUIRE(warmed.has_value());
    std::set<std::size_t> used;
    while (ready_workers(executor) > 1) {
        const auto got = co_await executor.submit(slot);
        REQUIRE(got.has_value());
        used.insert(got.value());
    }
    // Where this process stands still for so long, the one that is used goes, too, and is replaced.
    CHECK(used.size() <= executor.stats().started_workers - 2);
    CHECK(executor.stats().crashed_workers == 0);
    co_await executor.async_shutdown();
}

asio::awaitable<void> few_tasks_each() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .max_tasks_per_worker = 3});
    std::vector<coproc::job<int>> jobs;
    for (int i = 0; i < 9; ++i) {
        jobs.push_back(executor.submit([] { return static_cast<int>(::getpid()); }));
    }
    std::map<int, int> tasks_of;
    for (auto& job : jobs) {
        const auto got = co_await std::move(job);
        REQUIRE(got.has_value());
        ++tasks_of[got.value()];
    }
    CHECK(tasks_of.size() == 3);
    for (const auto& [pid, tasks] : tasks_of) {
        CHECK(tasks == 3);
    }
    CHECK(executor.stats().crashed_workers == 0);
}

asio::awaitable<void> old_ones_go() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .max_worker_age = 1ms, .watch_idle = true});
    for (int i = 0; executor.stats().started_workers < 4; ++i) {
        const auto got = co_await executor.submit(same, i);
        REQUIRE(got.has_value());
        CHECK(got.value() == i);
    }
    CHECK(executor.stats().crashed_workers == 0);
}

} // namespace

TEST_CASE("run returns when a shutdown is over, also where idle workers are watched", "[sizes]") {
    shut_down_while_idle_workers_are_watched();
}
TEST_CASE("workers are started as tasks need them, not all at once", "[sizes]") {
    test::run(grown_on_demand());
}
TEST_CASE("async_start makes workers ready before there are tasks", "[sizes]") {
    test::run(warm());
}
TEST_CASE("async_start tells why there are no workers", "[process][sizes][executable]") {
    test::run(warm_in_vain());
}
TEST_CASE("an async_start that is cancelled ends at once, and the workers come", "[sizes]") {
    test::run(warm_until_cancelled(GENERATE(asio::cancellation_type::total,
                                            asio::cancellation_type::partial,
                                            asio::cancellation_type::terminal)));
}
TEST_CASE("min_workers are kept", "[process][sizes]") { test::run(kept()); }
TEST_CASE("a resize waits for nothing and costs no task", "[sizes]") { test::run(resized()); }
TEST_CASE("resizes with tasks all the time", "[sizes]") { test::run(resized_many_times()); }
TEST_CASE("a resize after all workers have timed out", "[process][sizes]") {
    test::run(resized_after_timeout());
}
TEST_CASE("no task is lost to a worker that times out", "[sizes]") { test::run(timing_out()); }
TEST_CASE("a shutdown while workers time out", "[sizes]") {
    test::run(shut_down_while_timing_out());
}
TEST_CASE("spare workers time out, min_workers stay", "[sizes]") { test::run(spare_ones_go()); }
TEST_CASE("spare workers time out while others work: tasks go to the one that had one last",
          "[sizes]") {
    test::run(spare_ones_go_meanwhile());
}
TEST_CASE("a worker has no more than max_tasks_per_worker tasks", "[process][sizes]") {
    test::run(few_tasks_each());
}
TEST_CASE("old workers are replaced", "[sizes]") { test::run(old_ones_go()); }

TEST_CASE("an executor that keeps or times out idle workers is work until it is stopped",
          "[sizes]") {
    asio::io_context loop;
    coproc::executor executor(loop, GENERATE(coproc::executor_options{.max_workers = 1},
                                             coproc::executor_options{.min_workers = 1},
                                             coproc::executor_options{.idle_timeout = 1h}));
    auto job = executor.submit(same, 5);
    bool done = false;
    job.async_wait([&] {
        done = true;
        asio::post(loop, [&] { executor.stop(); }); // run() would not return otherwise
    });
    test::run(loop);
    CHECK(done);
    CHECK(std::move(job).get().value() == 5);
}

TEST_CASE("min_workers and idle_timeout keep run() from returning", "[sizes]") {
    asio::io_context loop;
    coproc::executor executor(loop, GENERATE(coproc::executor_options{.min_workers = 1},
                                             coproc::executor_options{.idle_timeout = 1h}));
    auto job = executor.submit(same, 5);
    while (!job.ready()) {
        loop.run_one();
    }
    loop.poll();
    CHECK_FALSE(loop.stopped());
    executor.stop();
    test::run(loop);
}

TEST_CASE("resizes from other threads", "[sizes]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 2});
    std::atomic<bool> over = false;
    std::thread sizer([&] {
        for (std::size_t size = 1; !over; size = size % 4 + 1) {
            executor.resize(size);
        }
    });
    for (int i = 0; i < 200; ++i) {
        CHECK(executor.submit(same, i).get().value() == i);
    }
    over = true;
    sizer.join();
    CHECK(executor.stats().crashed_workers == 0);
    executor.shutdown();
}

TEST_CASE("no task is lost to a worker that times out while threads submit", "[sizes]") {
    coproc::executor executor(coproc::own_thread,
                              {.max_workers = 2, .idle_timeout = GENERATE(0ms, 1ms)});
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    for (int first = 0; first < 60; first += 20) {
        threads.emplace_back([&executor, &right, first] {
            for (int i = first; i < first + 20; ++i) {
                const auto got = executor.submit(same, i).get();
                right += got.has_value() && got.value() == i;
            }
        });
    }
    for (std::thread& each : threads) {
        each.join();
    }
    CHECK(right == 60);
    CHECK(executor.stats().crashed_workers == 0);
    const auto report = executor.shutdown();
    CHECK(report.killed_workers == 0);
}

TEST_CASE("a resize after the end starts nothing", "[sizes]") {
    auto loop = std::make_unique<asio::io_context>();
    coproc::executor executor(*loop, {.max_workers = 1, .min_workers = 1});
    auto job = executor.submit(same, 1);
    job.async_wait([&] { executor.stop(); });
    test::run(*loop);
    executor.resize(3);
    test::run(*loop);
    CHECK(executor.stats().started_workers == 1);
    CHECK(std::move(job).get().value() == 1);
    loop.reset();
    executor.resize(2);
    CHECK(executor.stats().started_workers == 1);
}

// loky: test_invalid_process_number
TEST_CASE("sizes that cannot be are refused by name", "[sizes]") {
    asio::io_context loop;
    const auto refused = [&](coproc::executor_options options, const std::string& field) {
        INFO(field);
        try {
            coproc::executor executor(loop, options);
            FAIL_CHECK("not refused");
        } catch (const std::invalid_argument& error) {
            CHECK(std::string(error.what()).find(field) != std::string::npos);
        }
    };
    refused({.max_workers = 0}, "max_workers");
    refused({.max_workers = 2, .min_workers = 3}, "min_workers");
    refused({.max_tasks_per_worker = std::size_t{1} << 32}, "max_tasks_per_worker");
    refused({.max_worker_age = 0ms}, "max_worker_age");
    coproc::executor executor(loop, {.max_workers = 1});
    CHECK_THROWS_AS(executor.resize(0), std::invalid_argument);
    CHECK_THROWS_AS(executor.resize(65537), std::invalid_argument);
}
