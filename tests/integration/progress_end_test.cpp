#include "integration/progress_tasks.hpp"
#include "support/catch.hpp"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/detached.hpp>
#include <asio/strand.hpp>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

// A progress ends, whatever becomes of its tasks, sinks, readers and loops, and loses nothing on
// the way.

namespace {

using coproc::errc;
using coproc::full_policy;
using coproc::progress;
using coproc::progress_options;
using coproc::progress_sink;
using namespace test::reports;

int die_after(int n, const progress_sink<int>& sink) {
    for (int i = 0; i < n; ++i) {
        sink(i);
    }
    ::raise(SIGKILL);
    return n;
}

asio::awaitable<void> a_crash_keeps_what_was_sent() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    progress<int> numbers(executor, roomy);
    auto job = executor.submit(die_after, 300, numbers.sink());
    const auto all = co_await read_all(numbers);
    CHECK(all == numbers_to(300));
    const auto got = co_await std::move(job);
    CHECK(got.error() == errc::worker_terminated);

    progress<int> waits(executor, waiting);
    auto second = executor.submit(die_after, 300, waits.sink());
    const auto waited = co_await read_all(waits);
    CHECK(waited == numbers_to(300));
    co_await std::move(second);
}

/// Dies in its first run.
int report_twice(std::string path, const progress_sink<int>& sink) {
    std::ofstream(path, std::ios::app) << '.' << std::flush;
    const bool first = std::filesystem::file_size(path) == 1;
    for (int i = 0; i < 3; ++i) {
        sink(first ? i : 10 + i);
    }
    if (first) {
        ::raise(SIGKILL);
    }
    return 0;
}

asio::awaitable<void> a_task_that_is_run_again_reports_again() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    for (const full_policy policy : {full_policy::drop_oldest, full_policy::wait}) {
        std::string path = std::filesystem::temp_directory_path() / "coproc-runs-XXXXXX";
        ::close(::mkstemp(path.data()));
        progress<int> numbers(executor, {.capacity = 10, .when_full = policy});
        const coproc::task_options options{.retries = 1};
        auto job = executor.submit(options, report_twice, path, numbers.sink());
        const auto all = co_await read_all(numbers);
        CHECK((all == std::vector<int>{0, 1, 2, 10, 11, 12}));
        const auto got = co_await std::move(job);
        CHECK(got.value() == 0);
        std::filesystem::remove(path);
    }
}

asio::awaitable<void> a_wait_that_is_cancelled_loses_nothing() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    progress<int> numbers(executor);
    auto job = executor.submit(report_and_meet, 7, meeting.name(), numbers.sink());
    auto task = co_await meeting.arrival();
    const auto first = co_await numbers.async_next();
    REQUIRE(first);
    CHECK(first->value() == 7);

    for (const auto type : {asio::cancellation_type::total, asio::cancellation_type::partial,
                            asio::cancellation_type::terminal}) {
        asio::cancellation_signal signal;
        bool called = false;
        bool given = false;
        numbers.async_next(asio::bind_cancellation_slot(
            signal.slot(), [&](const std::optional<coproc::element<int>>& next) {
                called = true;
                given = next.has_value();
            }));
        co_await test::turn();
        CHECK_FALSE(called);
        signal.emit(type);
        CHECK_FALSE(called); // never from inside
        while (!called) {
            co_await test::turn();
        }
        CHECK_FALSE(given);
        CHECK_FALSE(numbers.ended());
    }
    task.close();
    const auto end = co_await numbers.async_next();
    CHECK_FALSE(end);
    CHECK(numbers.ended());
    co_await std::move(job);

    // A value that comes with the cancellation stays, or is given.
    asio::cancellation_signal signal;
    std::vector<int> read;
    auto second = executor.submit(count_to, 3, numbers.sink());
    bool over = false;
    while (!over) {
        bool called = false;
        numbers.async_next(asio::bind_cancellation_slot(
            signal.slot(), [&](const std::optional<coproc::element<int>>& next) {
                called = true;
                if (next) {
                    read.push_back(next->value());
                } else {
                    over = numbers.ended();
                }
            }));
        co_await test::turn();
        signal.emit(asio::cancellation_type::total);
        while (!called) {
            co_await test::turn();
        }
    }
    CHECK(read == numbers_to(3));
    co_await std::move(second);
}

asio::awaitable<void> it_ends_whatever_happens() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .max_queued = 1});
    // No sink was made.
    progress<int> numbers(executor);
    CHECK(numbers.ended());
    auto end = co_await numbers.async_next();
    CHECK_FALSE(end);
    // It was never submitted.
    std::optional<progress_sink<int>> sink(numbers.sink());
    CHECK_FALSE(numbers.ended());
    asio::post(loop, [&sink] { sink.reset(); });
    end = co_await numbers.async_next();
    CHECK_FALSE(end);

    // The task is withdrawn, refused, or shut down.
    test::meeting meeting(loop);
    progress<int> other(executor);
    auto busy = executor.submit(report_and_meet, 1, meeting.name(), other.sink());
    auto task = co_await meeting.arrival();
    std::vector<coproc::job<int>> queued;
    do { // one may lie in the worker's pipe, one in the queue
        queued.push_back(executor.submit(count_to, 5, numbers.sink()));
    } while (!queued.back().ready() && queued.size() < 10);
    const auto full = co_await std::move(queued.back());
    CHECK(full.error() == errc::queue_full);
    queued.pop_back();
    CHECK_FALSE(numbers.ended());
    for (auto& job : queued) {
        job.cancel();
    }
    end = co_await numbers.async_next();
    CHECK_FALSE(end);
    queued.clear();
    {
        // Dropped before it has begun.
        const auto dropped = executor.submit(count_to, 5, numbers.sink());
    }
    end = co_await numbers.async_next();
    CHECK_FALSE(end);
    const auto stays = co_await other.async_next();
    CHECK(stays->value() == 1);
    executor.stop();
    end = co_await other.async_next();
    CHECK_FALSE(end);
    const auto stopped = co_await std::move(busy);
    CHECK(stopped.error() == errc::executor_shutdown);
    auto after = executor.submit(count_to, 5, numbers.sink());
    end = co_await numbers.async_next();
    CHECK_FALSE(end);
    co_await std::move(after);
}

asio::awaitable<void> a_progress_is_destroyed_while_tasks_run() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    std::optional<progress<int>> numbers(std::in_place, executor);
    auto job = executor.submit(count_to, 100'000, numbers->sink());
    const auto first = co_await numbers->async_next();
    CHECK(first->has_value());
    bool ended = false;
    bool called = false;
    while (numbers->dropped() == 0) {
        co_await test::turn();
    }
    while (auto next = co_await numbers->async_next()) {
        if (numbers->ended() || next->value() > 50'000) {
            break;
        }
    }
    numbers.reset();
    const auto got = co_await std::move(job);
    CHECK(got.value() == 100'000);

    // A reader that waits gets the end.
    test::meeting meeting(loop);
    numbers.emplace(executor);
    auto second = executor.submit(report_and_meet, 1, meeting.name(), numbers->sink());
    auto task = co_await meeting.arrival();
    const auto one = co_await numbers->async_next();
    CHECK(one->value() == 1);
    numbers->async_next([&](const std::optional<coproc::element<int>>& next) {
        called = true;
        ended = !next;
    });
    numbers.reset();
    CHECK_FALSE(called);
    while (!called) {
        co_await test::turn();
    }
    CHECK(ended);
    task.close();
    co_await std::move(second);
}

} // namespace

TEST_CASE("what a task had reported before a crash is read", "[progress][process]") {
    test::run(a_crash_keeps_what_was_sent());
}

TEST_CASE("a task that is run again reports again", "[progress][process]") {
    test::run(a_task_that_is_run_again_reports_again());
}

TEST_CASE("cancelling a wait for progress loses nothing", "[progress]") {
    test::run(a_wait_that_is_cancelled_loses_nothing());
}

TEST_CASE("progress ends whatever becomes of sinks and tasks", "[progress]") {
    test::run(it_ends_whatever_happens());
}

TEST_CASE("a progress may be destroyed while tasks report", "[progress]") {
    test::run(a_progress_is_destroyed_while_tasks_run());
}

TEST_CASE("a loop ends while a handler waits for a sink that no task has", "[progress]") {
    auto loop = std::make_unique<asio::io_context>();
    const auto numbers = std::make_shared<progress<int>>(*loop);
    std::optional<progress_sink<int>> sink(numbers->sink());
    bool called = false;
    numbers->async_next([&called, numbers](const auto& next) { called = !next; });
    test::run(*loop);
    CHECK_FALSE(called);
    sink.reset();
    test::run(*loop);
    CHECK(called);

    // What still waits when the loop is destroyed goes uncalled.
    called = false;
    const std::weak_ptr<progress<int>> witness = numbers;
    sink.emplace(numbers->sink());
    numbers->async_next([&called, numbers](const auto&) { called = true; });
    test::run(*loop);
    CHECK(witness.use_count() == 2);
    loop.reset();
    CHECK(witness.use_count() == 1);
    CHECK_FALSE(called);
}

TEST_CASE("a progress may be destroyed while its loop is", "[progress]") {
    for (int round = 0; round < 300; ++round) {
        auto loop = std::make_unique<asio::io_context>();
        auto strand = std::make_unique<asio::strand<asio::io_context::executor_type>>(
            asio::make_strand(*loop));
        auto numbers = std::make_unique<progress<int>>(asio::any_io_executor(*strand));
        strand.reset();
        std::atomic<int> there = 0;
        const auto together = [&there] {
            for (++there; there < 2;) {
            }
        };
        std::thread thread([&] {
            together();
            numbers.reset();
        });
        together();
        loop.reset();
        thread.join();
    }
}

TEST_CASE("a coroutine that waits for progress goes with its loop", "[progress]") {
    auto loop = std::make_unique<asio::io_context>();
    const auto witness = std::make_shared<int>();
    bool resumed = false;
    asio::co_spawn(
        *loop,
        [](std::shared_ptr<int>, bool& called) -> asio::awaitable<void> {
            progress<int> numbers(co_await asio::this_coro::executor);
            const auto sink = numbers.sink();
            co_await numbers.async_next();
            called = true;
        }(witness, resumed),
        asio::detached);
    loop->poll();
    CHECK(witness.use_count() == 2);
    loop.reset();
    CHECK(witness.use_count() == 1);
    CHECK_FALSE(resumed);
}
