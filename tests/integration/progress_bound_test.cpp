#include "integration/progress_tasks.hpp"
#include "support/catch.hpp"

#include <asio/detached.hpp>

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

// A progress is bounded: what is kept, and who waits for whom.

namespace {

using coproc::errc;
using coproc::full_policy;
using coproc::progress;
using coproc::progress_options;
using coproc::progress_sink;
using namespace test::reports;

asio::awaitable<void> without_a_reader() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    progress<int> numbers(executor, {.capacity = 3});
    const auto got = co_await executor.submit(count_to, 100'000, numbers.sink());
    CHECK(got.value() == 100'000);
    // The newest ones are there, and the gap before them is seen.
    CHECK(numbers.dropped() == 99'997);
    for (int i = 99'997; i < 100'000; ++i) {
        const auto next = co_await numbers.async_next();
        REQUIRE(next);
        CHECK(next->value() == i);
        CHECK(next->index == static_cast<std::size_t>(i));
    }
    CHECK(numbers.ended());
}

asio::awaitable<void> only_the_newest() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    progress<int> newest(executor, {.capacity = 1});
    auto job = executor.submit(count_to, 1000, newest.sink());
    int last = -1;
    std::size_t read = 0;
    while (auto next = co_await newest.async_next()) {
        CHECK(next->value() > last);
        last = next->value();
        ++read;
        co_await test::turn(); // slow
    }
    CHECK(last == 999);
    CHECK(read + newest.dropped() == 1000);
    co_await std::move(job);
}

asio::awaitable<void> with_tasks_that_wait() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    for (const std::size_t capacity : {1, 2, 100}) {
        progress<int> numbers(executor, {.capacity = capacity, .when_full = full_policy::wait});
        auto job = executor.submit(count_to, 500, numbers.sink());
        std::vector<int> all;
        while (auto next = co_await numbers.async_next()) {
            all.push_back(next->value());
            if (all.size() % 50 == 1) {
                for (int i = 0; i < 5; ++i) {
                    co_await test::turn(); // slow
                }
            }
        }
        CHECK(all == numbers_to(500));
        CHECK(numbers.dropped() == 0);
        co_await std::move(job);
    }
    // Two tasks share the places.
    progress<int> shared(executor, waiting);
    auto first = executor.submit(count_to, 200, shared.sink());
    auto second = executor.submit(count_to, 200, shared.sink());
    const auto all = co_await read_all(shared);
    CHECK(all.size() == 400);
    CHECK(shared.dropped() == 0);
    co_await std::move(first);
    co_await std::move(second);
}

/// Says when it has reported `n` values; more would have to wait.
int fill_and_go_on(int n, std::string name, const progress_sink<int>& sink) {
    for (int i = 0; i < n; ++i) {
        sink(i);
    }
    test::visit(name).await_leave();
    for (int i = n; i < n + 10; ++i) {
        sink(i);
    }
    return ::getpid();
}

asio::awaitable<void> nobody_waits_for_a_reader_that_has_gone() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    std::optional<progress<int>> numbers(std::in_place, executor, waiting);
    auto job = executor.submit(fill_and_go_on, 2, meeting.name(), numbers->sink());
    {
        const auto task = co_await meeting.arrival();
        CHECK(job.state() == coproc::job_state::running);
    }
    for (int i = 0; i < 10; ++i) {
        co_await test::turn(); // it may have begun to wait
    }
    CHECK_FALSE(job.ready());
    numbers.reset();
    const auto got = co_await std::move(job);
    CHECK(got.has_value());

    // Closed before the task has begun, and before it has been submitted.
    numbers.emplace(executor, waiting);
    auto sink = numbers->sink();
    auto late = executor.submit(count_to, 50, sink);
    numbers->close();
    auto later = executor.submit(count_to, 50, std::move(sink));
    const auto end = co_await numbers->async_next();
    CHECK_FALSE(end);
    CHECK(numbers->ended());
    const auto late_end = co_await std::move(late);
    CHECK(late_end.value() == 50);
    const auto later_end = co_await std::move(later);
    CHECK(later_end.value() == 50);
}

asio::awaitable<void> waiting_ends_with_the_request_to_stop(asio::cancellation_type type) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto before = co_await executor.submit(::getpid);
    test::meeting meeting(loop);
    progress<int> numbers(executor, waiting);
    const coproc::task_options options{.grace = test::patience};
    auto job = executor.submit(options, fill_and_go_on, 2, meeting.name(), numbers.sink());
    { const auto task = co_await meeting.arrival(); }
    for (int i = 0; i < 10; ++i) {
        co_await test::turn();
    }
    job.cancel(type);
    const auto got = co_await std::move(job);
    if (type == asio::cancellation_type::partial) {
        CHECK(got.value() == before.value());
    } else {
        CHECK(got.error() == errc::cancelled);
    }
    const auto read = co_await read_all(numbers);
    CHECK(read.size() >= 2);
    CHECK((read[0] == 0 && read[1] == 1));
    const auto after = co_await executor.submit(::getpid); // the same worker: it was not killed
    CHECK(after.value() == before.value());
}

/// The second of three is more than the ring takes, the third is small again.
std::size_t report_large(std::size_t size, const progress_sink<std::string>& sink) {
    sink("small");
    sink(std::string(size, 'L'));
    for (int i = 0; i < 20; ++i) {
        sink(std::to_string(i));
    }
    return size;
}

asio::awaitable<void> large_values() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .max_message_bytes = 8 * 1024 * 1024});
    for (const full_policy policy : {full_policy::drop_oldest, full_policy::wait}) {
        for (const std::size_t size : {60'000, 70'000, 5'000'000}) {
            progress<std::string> texts(executor, {.capacity = 30, .when_full = policy});
            auto job = executor.submit(report_large, size, texts.sink());
            std::vector<std::string> all;
            while (auto next = co_await texts.async_next()) {
                all.push_back(next->value());
            }
            REQUIRE(all.size() == 22);
            CHECK(all[0] == "small");
            CHECK(all[1] == std::string(size, 'L'));
            for (int i = 0; i < 20; ++i) {
                CHECK(all[static_cast<std::size_t>(i) + 2] == std::to_string(i));
            }
            const auto got = co_await std::move(job);
            CHECK(got.value() == size);
        }
    }
    progress<std::string> texts(executor);
    const auto got = co_await executor.submit(report_large, 9'000'000, texts.sink());
    CHECK(got.error() == errc::task_threw);
    CHECK_THROWS_AS(got.value(), std::exception);
}

int flood(int n, std::string name, const progress_sink<std::string>& sink) {
    test::visit(name).await_leave();
    const std::string rest(100, 'x');
    for (int i = 0; i < n; ++i) {
        sink(std::to_string(i) + rest);
    }
    test::visit end(name);
    end.await_leave();
    return n;
}

/// A loop that does not run for a while does not keep a task from going on.
void while_the_loop_stands_still() {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    progress<std::string> texts(executor, {.capacity = 4});
    test::meeting meeting(loop);
    auto job = executor.submit(flood, 20'000, meeting.name(), texts.sink());
    bool begun = false;
    asio::co_spawn(
        loop,
        [](test::meeting& m, bool& b) -> asio::awaitable<void> {
            co_await m.arrival();
            b = true;
        }(meeting, begun),
        asio::detached);
    while (!begun) {
        REQUIRE(loop.run_one_for(test::patience) == 1);
    }
    // Some 3 MB: neither ring nor socket take them.
    meeting.await_arrival();
    loop.restart();
    std::vector<int> read;
    asio::co_spawn(
        loop,
        [](progress<std::string>& from, std::vector<int>& to) -> asio::awaitable<void> {
            while (auto next = co_await from.async_next()) {
                to.push_back(std::stoi(next->value()));
            }
        }(texts, read),
        asio::detached);
    test::run(loop);
    CHECK(std::ranges::is_sorted(read));
    REQUIRE_FALSE(read.empty());
    CHECK(read.back() == 19'999);
    CHECK(read.size() + texts.dropped() == 20'000);
    CHECK(std::move(job).get().value() == 20'000);
}

/// Fills the ring, and reports no more.
int burst_then_silence(int n, std::string name, const progress_sink<std::string>& sink) {
    test::visit(name).await_leave();
    const std::string rest(100, 'x');
    for (int i = 0; i < n; ++i) {
        sink(std::to_string(i) + rest);
    }
    test::visit(name).await_leave();
    test::visit(name).await_leave(); // until the newest value was seen
    return n;
}

void the_newest_value_of_a_burst() {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    progress<std::string> texts(executor, {.capacity = 4});
    test::meeting meeting(loop);
    auto job = executor.submit(burst_then_silence, 20'000, meeting.name(), texts.sink());
    bool begun = false;
    asio::co_spawn(
        loop,
        [](test::meeting& m, bool& b) -> asio::awaitable<void> {
            co_await m.arrival();
            b = true;
        }(meeting, begun),
        asio::detached);
    while (!begun) {
        REQUIRE(loop.run_one_for(test::patience) == 1);
    }
    meeting.await_arrival();
    loop.restart();
    asio::co_spawn(
        loop,
        [](progress<std::string>& from, test::meeting& m) -> asio::awaitable<void> {
            auto task = co_await m.arrival();
            int last = 0;
            while (last != 19'999) {
                const auto next = co_await from.async_next();
                last = std::stoi(next->value());
            }
            task.close();
        }(texts, meeting),
        asio::detached);
    test::run(loop);
    CHECK(std::move(job).get().value() == 20'000);
}

std::atomic<bool> has_gone_on = false;

int fill_then_tell(std::string name, const progress_sink<int>& sink) {
    test::visit(name).await_leave();
    for (int i = 0; i < 10; ++i) {
        sink(i);
    }
    has_gone_on = true;
    return 0;
}

} // namespace

TEST_CASE("a task does not wait for a reader that is not there", "[progress]") {
    test::run(without_a_reader());
}

TEST_CASE("a progress with room for one value has the newest", "[progress]") {
    test::run(only_the_newest());
}

TEST_CASE("a task may wait for a slow reader, and loses nothing", "[progress]") {
    test::run(with_tasks_that_wait());
}

TEST_CASE("no task waits for a reader that has gone", "[progress]") {
    test::run(nobody_waits_for_a_reader_that_has_gone());
}

TEST_CASE("a task that waits for a reader goes on when it is asked to stop", "[progress]") {
    test::run(waiting_ends_with_the_request_to_stop(asio::cancellation_type::partial));
    test::run(waiting_ends_with_the_request_to_stop(asio::cancellation_type::terminal));
}

TEST_CASE("large values are not overtaken by small ones, nor by the result", "[progress]") {
    test::run(large_values());
}

TEST_CASE("a task reports though the loop stands still", "[progress]") {
    while_the_loop_stands_still();
}

TEST_CASE("the newest value of a burst arrives while the task is silent", "[progress]") {
    the_newest_value_of_a_burst();
}

TEST_CASE("a thread that waits for a reader goes on when its executor is stopped", "[progress]") {
    asio::io_context loop;
    progress<int> numbers(loop, waiting);
    test::meeting meeting(loop);
    {
        coproc::executor executor(loop,
                                  {.max_workers = 1, .start = coproc::start_method::in_process});
        executor.submit(fill_then_tell, meeting.name(), numbers.sink()).detach();
        test::run(loop, [](test::meeting& m, progress<int>& from) -> asio::awaitable<void> {
            { const auto task = co_await m.arrival(); }
            const auto first = co_await from.async_next();
            CHECK(first->value() == 0);
            from.close(); // the loop's run ends with the task
        }(meeting, numbers));
        CHECK(has_gone_on);
        has_gone_on = false;
        progress<int> kept(loop, waiting);
        executor.submit(fill_then_tell, meeting.name(), kept.sink()).detach();
        bool stop = false;
        loop.restart();
        asio::co_spawn(
            loop,
            [](test::meeting& m, progress<int>& from, bool& over) -> asio::awaitable<void> {
                { const auto task = co_await m.arrival(); }
                const auto first = co_await from.async_next();
                CHECK(first->value() == 0);
                over = true;
            }(meeting, kept, stop),
            asio::detached);
        while (!stop) {
            REQUIRE(loop.run_one_for(test::patience) == 1);
        }
        CHECK_FALSE(has_gone_on); // eight values have no place
    }
    while (!has_gone_on) {
        std::this_thread::yield();
    }
}
