#include "support/catch.hpp"
#include "support/heap.hpp"
#include "support/loop.hpp"
#include "support/matchers.hpp"
#include "support/meeting.hpp"

#include <coproc/coproc.hpp>
#include <coproc/wait.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/executor_work_guard.hpp>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <thread>

// Waiting for several jobs, of one executor or of several.

namespace {

using coproc::errc;
using coproc::wait_condition;
using namespace std::chrono_literals;
using jobs = std::vector<coproc::job<int>>;

int same(int n) { return n; }
int fail(int) { throw std::domain_error("no"); }
int stay(const std::string& name) {
    test::visit(name).await_leave();
    return 1;
}
int stay_and_fail(const std::string& name) {
    test::visit(name).await_leave();
    throw std::domain_error("no");
}

std::size_t ready(const jobs& all) {
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](const auto& job) { return job.ready(); }));
}

asio::awaitable<void> first_completed() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    test::meeting first(loop);
    test::meeting second(loop);
    jobs all;
    all.push_back(executor.submit(stay, first.name()));
    all.push_back(executor.submit(stay, second.name()));
    auto one = co_await first.arrival();
    auto two = co_await second.arrival();
    two.close();
    const bool met = co_await coproc::async_wait(all, wait_condition::first_completed);
    CHECK(met);
    CHECK_FALSE(all[0].ready());
    CHECK(all[1].ready());
    // Some are completed already: at once, though not from inside.
    bool called = false;
    coproc::async_wait(all, wait_condition::first_completed, [&](bool m) { called = m; });
    CHECK_FALSE(called);
    while (!called) {
        co_await test::turn();
    }
    CHECK(ready(all) == 1);
    one.close();
    const auto got = co_await std::move(all[0]);
    CHECK(got.value() == 1);
    // A cancelled one is completed, too.
    jobs cancelled;
    cancelled.push_back(executor.submit(same, 1));
    cancelled.back().cancel();
    const bool at_once =
        co_await coproc::async_wait(cancelled, wait_condition::first_completed, 0s);
    CHECK(at_once);
}

asio::awaitable<void> first_exception() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 3});
    test::meeting good(loop);
    test::meeting bad(loop);
    jobs all;
    all.push_back(executor.submit(stay, good.name()));
    all.push_back(executor.submit(stay_and_fail, bad.name()));
    all.push_back(executor.submit(same, 1));
    all.push_back(executor.submit(same, 2)); // cancelled: that is no exception
    all.back().cancel();
    auto one = co_await good.arrival();
    auto two = co_await bad.arrival();
    bool called = false;
    coproc::async_wait(all, wait_condition::first_exception, [&](bool m) { called = m; });
    while (ready(all) < 2) {
        co_await test::turn();
    }
    for (int i = 0; i < 10; ++i) {
        co_await test::turn();
    }
    CHECK_FALSE(called);
    two.close();
    while (!called) {
        co_await test::turn();
    }
    CHECK_FALSE(all[0].ready());
    CHECK(all[1].ready());
    // One has failed already.
    const bool met = co_await coproc::async_wait(all, wait_condition::first_exception, 0s);
    CHECK(met);
    one.close();
    // Nobody fails: when all are done.
    jobs fine;
    for (int i = 0; i < 5; ++i) {
        fine.push_back(executor.submit(same, i));
    }
    const bool all_done = co_await coproc::async_wait(fine, wait_condition::first_exception);
    CHECK(all_done);
    CHECK(ready(fine) == 5);
}

asio::awaitable<void> all_completed() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    jobs all;
    for (int i = 0; i < 20; ++i) {
        all.push_back(i % 3 == 0 ? executor.submit(fail, i) : executor.submit(same, i));
    }
    all[7].cancel();
    const bool met = co_await coproc::async_wait(all, wait_condition::all_completed);
    CHECK(met);
    CHECK(ready(all) == 20);
    for (int i = 0; i < 20; ++i) {
        const auto got = co_await std::move(all[static_cast<std::size_t>(i)]); // still there
        CHECK(got.has_value() == (i % 3 != 0 && i != 7));
    }
    const jobs none;
    for (const auto condition : {wait_condition::all_completed, wait_condition::first_completed}) {
        const bool nothing = co_await coproc::async_wait(none, condition);
        CHECK(nothing);
    }
}

asio::awaitable<void> timeout() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    test::meeting meeting(loop);
    jobs all;
    all.push_back(executor.submit(same, 1));
    all.push_back(executor.submit(stay, meeting.name()));
    auto other = co_await meeting.arrival();
    const bool first = co_await coproc::async_wait(all, wait_condition::first_completed, 1h);
    CHECK(first);
    for (const coproc::duration over :
         {coproc::duration(1ms), coproc::duration(0), coproc::duration(-1s)}) {
        const bool met = co_await coproc::async_wait(all, wait_condition::all_completed, over);
        CHECK_FALSE(met);
        CHECK(all[0].ready());
        CHECK_FALSE(all[1].ready());
    }
    asio::cancellation_signal signal;
    std::optional<bool> given_up;
    coproc::async_wait(all, wait_condition::all_completed, 1h,
                       asio::bind_cancellation_slot(signal.slot(), [&](bool m) { given_up = m; }));
    signal.emit(asio::cancellation_type::terminal);
    CHECK_FALSE(given_up);
    while (!given_up) {
        co_await test::turn();
    }
    CHECK_FALSE(*given_up);
    CHECK_FALSE(all[1].ready()); // the tasks are not touched
    other.close();
    const bool met =
        co_await coproc::async_wait(all, wait_condition::all_completed, coproc::no_limit);
    CHECK(met); // what was pending completes later
    CHECK(ready(all) == 2);
}

asio::awaitable<void> completed_in_turn() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    test::meeting meeting(loop);
    jobs all;
    all.push_back(executor.submit(stay, meeting.name()));
    for (int i = 1; i < 10; ++i) {
        all.push_back(i == 4 ? executor.submit(fail, i) : executor.submit(same, i));
    }
    auto other = co_await meeting.arrival();
    auto stream = coproc::as_completed(std::move(all));
    std::set<std::size_t> seen;
    for (int i = 1; i < 10; ++i) {
        const auto e = co_await stream.async_next();
        REQUIRE(e);
        CHECK(seen.insert(e->index).second);
        if (e->index == 4) {
            CHECK(e->error() == errc::task_threw);
        } else {
            CHECK(e->value() == static_cast<int>(e->index));
        }
    }
    CHECK_FALSE(seen.contains(0)); // it runs, and holds up nobody
    // A time-out of zero: the done ones were given, the last is not there, and is not lost.
    std::optional<bool> there;
    asio::cancellation_signal signal;
    stream.async_next(asio::bind_cancellation_slot(
        signal.slot(),
        [&](const std::optional<coproc::element<int>>& e) { there = e.has_value(); }));
    signal.emit(asio::cancellation_type::total);
    while (!there) {
        co_await test::turn();
    }
    CHECK_FALSE(*there);
    CHECK_FALSE(stream.ended());
    other.close();
    const auto last = co_await stream.async_next();
    CHECK(last->index == 0);
    CHECK(last->value() == 1);
    const auto end = co_await stream.async_next();
    CHECK_FALSE(end);
    CHECK(stream.ended());
    auto empty = coproc::as_completed(jobs());
    const auto nothing = co_await empty.async_next();
    CHECK_FALSE(nothing);
}

asio::awaitable<void> dropped() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    test::meeting never(loop);
    jobs all;
    all.push_back(executor.submit(stay, meeting.name()));
    all.push_back(executor.submit(stay, never.name()));
    auto other = co_await meeting.arrival();
    { auto stream = coproc::as_completed(std::move(all)); }
    CHECK(executor.stats().completed == 1);
    other.close();
    const auto last = co_await executor.submit(same, 3);
    CHECK(last.value() == 3);
}

/// Jobs of an executor on this loop, one on a loop of another thread, and one with its own.
asio::awaitable<void> several_executors() {
    const auto loop = co_await asio::this_coro::executor;
    asio::io_context other_loop;
    auto work = asio::make_work_guard(other_loop);
    std::thread thread([&] { other_loop.run(); });
    {
        coproc::executor here(loop, {.max_workers = 1});
        coproc::executor there(other_loop, {.max_workers = 1});
        coproc::executor own(coproc::own_thread, {.max_workers = 1});
        const auto some = [&](int n) {
            jobs all;
            for (int i = 0; i < n; ++i) {
                all.push_back((i % 3 == 0 ? here : i % 3 == 1 ? there : own).submit(same, i));
            }
            return all;
        };
        auto waited = some(30);
        const bool met = co_await coproc::async_wait(waited, wait_condition::all_completed);
        CHECK(met);
        CHECK(ready(waited) == 30);
        auto taken = coproc::as_completed(some(30));
        const auto caller = std::this_thread::get_id();
        std::set<std::size_t> seen;
        while (auto e = co_await taken.async_next()) {
            CHECK(e->value() == static_cast<int>(e->index));
            CHECK(seen.insert(e->index).second);
            CHECK(std::this_thread::get_id() == caller);
        }
        CHECK(seen.size() == 30);
        const auto all = co_await coproc::as_completed(some(30)).async_collect();
        REQUIRE(all.has_value());
        CHECK(std::is_sorted(all.value().begin(), all.value().end()));
        // The first job's executor has nothing to do: waiting for the others keeps this loop busy.
        test::meeting meeting(other_loop.get_executor());
        jobs mixed;
        mixed.push_back(here.submit(same, 1));
        co_await mixed.back().async_wait(asio::use_awaitable);
        mixed.push_back(there.submit(stay, meeting.name()));
        asio::post(other_loop, [&] {
            asio::co_spawn(
                other_loop,
                [&]() -> asio::awaitable<void> {
                    auto arrived = co_await meeting.arrival();
                    arrived.close();
                },
                [](std::exception_ptr) {});
        });
        const bool both = co_await coproc::async_wait(mixed, wait_condition::all_completed);
        CHECK(both);
    }
    work.reset();
    thread.join();
}

/// Waits again and again for a job that goes on, in each way in which a wait can end before it.
asio::awaitable<void> polling() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    test::meeting meeting(loop);
    jobs all;
    all.push_back(executor.submit(stay, meeting.name()));
    auto other = co_await meeting.arrival();
    all.push_back(executor.submit(same, 1));
    const bool one_is_done = co_await coproc::async_wait(all, wait_condition::first_completed);
    CHECK(one_is_done); // so there are both workers, and what they take is not counted below
    std::size_t before = 0;
    for (int i = 0; i < 2000; ++i) {
        if (i == 200) { // what is allocated once and kept is there
            before = test::heap_in_use();
        }
        bool met = co_await coproc::async_wait(all, wait_condition::all_completed, 0s);
        CHECK_FALSE(met);
        met = co_await coproc::async_wait(all, wait_condition::all_completed, 1us);
        CHECK_FALSE(met);
        CHECK_FALSE(coproc::wait(all, wait_condition::all_completed, 0s));
        asio::cancellation_signal signal;
        std::optional<bool> given_up;
        coproc::async_wait(
            all, wait_condition::all_completed,
            asio::bind_cancellation_slot(signal.slot(), [&](bool m) { given_up = m; }));
        signal.emit(asio::cancellation_type::terminal);
        while (!given_up) {
            co_await test::turn();
        }
        { auto never = coproc::async_wait(all, wait_condition::all_completed); }
        // Ended by a job that was not done in the beginning.
        all[1] = executor.submit(same, 3);
        asio::post(loop, [&] { all[1].cancel(); });
        met = co_await coproc::async_wait(all, wait_condition::first_completed, 1h);
        CHECK(met);
    }
    // Each kind of them would have left more than 100 bytes each time.
    CHECK(test::heap_in_use() < before + 100'000);
    other.close();
    const bool met = co_await coproc::async_wait(all, wait_condition::all_completed);
    CHECK(met);
}

} // namespace

TEST_CASE("waits that are over leave nothing in a job that goes on", "[wait]") {
    test::run(polling());
}

TEST_CASE("a wait for a condition that is none is refused by name", "[wait]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    jobs all;
    all.push_back(executor.submit(same, 5));
    const auto wrong = static_cast<wait_condition>(77);
    CHECK_THROWS_AS(coproc::wait(all, wrong), std::invalid_argument);
    CHECK_THROWS_AS(coproc::wait(all, wrong, 0s), std::invalid_argument);
    CHECK_THROWS_AS(coproc::async_wait(all, wrong, 0s), std::invalid_argument);
    CHECK_THROWS_WITH(coproc::async_wait(all, wrong),
                      "coproc: wait_condition must be one of first_completed, first_exception and "
                      "all_completed");
    CHECK_THROWS_AS(coproc::wait(jobs(), wrong), std::invalid_argument); // nor without jobs
    CHECK(std::move(all.front()).get().value() == 5);
}

TEST_CASE("jobs that have been taken are not waited for, and named by their places", "[wait]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    jobs all;
    for (int i = 0; i < 3; ++i) {
        all.push_back(executor.submit(same, i));
    }
    CHECK(std::move(all[0]).get().value() == 0);
    CHECK(coproc::wait(all)); // get leaves a job that is done
    std::move(all[1]).detach();
    const auto names_it = test::contains_text("jobs[1]");
    CHECK_THROWS_WITH(coproc::wait(all), names_it);
    CHECK_THROWS_WITH(coproc::async_wait(all, wait_condition::first_completed), names_it);
    CHECK_THROWS_WITH(coproc::async_wait(all, wait_condition::first_completed, 0s), names_it);
    CHECK_THROWS_AS(coproc::as_completed(std::move(all)), std::invalid_argument);
    CHECK(executor.submit(same, 5).get().value() == 5);
}

TEST_CASE("a script that polls leaves nothing in a job that goes on", "[wait]") {
    asio::io_context meetings;
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    test::meeting meeting(meetings);
    jobs all;
    all.push_back(executor.submit(stay, meeting.name()));
    auto other = meeting.await_arrival();
    std::size_t before = 0;
    for (int i = 0; i < 2000; ++i) {
        if (i == 200) {
            before = test::heap_in_use();
        }
        CHECK_FALSE(coproc::wait(all, wait_condition::first_completed, 0s));
        CHECK_FALSE(coproc::wait(all, wait_condition::first_completed, 1us));
    }
    CHECK(test::heap_in_use() < before + 100'000);
    other.close();
    CHECK(coproc::wait(all));
}

TEST_CASE("a wait that is over needs its loop no more, though another loop's job goes on",
          "[wait]") {
    asio::io_context other_loop;
    coproc::executor there(other_loop, {.max_workers = 1});
    jobs all;
    bool met = false;
    {
        asio::io_context loop;
        coproc::executor here(loop, {.max_workers = 1});
        all.push_back(here.submit(same, 1));
        all.push_back(there.submit(same, 2));
        coproc::async_wait(all, wait_condition::first_completed, 1h,
                           [&](bool is_met) { met = is_met; });
        test::run(loop);
        CHECK(met);
        all.erase(all.begin());
    }
    test::run(other_loop);
    CHECK(std::move(all.front()).get().value() == 2);
}

TEST_CASE("test_first_completed: also when some are completed already", "[wait]") {
    test::run(first_completed());
}
TEST_CASE("test_first_exception: also when one has failed already", "[wait]") {
    test::run(first_exception());
}
TEST_CASE("test_all_completed: with mixed results", "[wait]") { test::run(all_completed()); }
TEST_CASE("test_timeout: a wait that times out splits the jobs, and touches none", "[wait]") {
    test::run(timeout());
}
TEST_CASE("test_no_timeout, test_zero_timeout: jobs are given as they are completed", "[wait]") {
    test::run(completed_in_turn());
}
TEST_CASE("a dropped as_completed withdraws what has not begun", "[wait]") { test::run(dropped()); }
TEST_CASE("jobs of several executors on several loops are waited for together", "[wait]") {
    test::run(several_executors());
}

TEST_CASE("a script waits without a loop", "[wait]") {
    asio::io_context meetings;
    coproc::executor executor(coproc::own_thread, {.max_workers = 2});
    coproc::executor second(coproc::own_thread, {.max_workers = 1});
    test::meeting meeting(meetings);
    jobs all;
    all.push_back(executor.submit(stay, meeting.name()));
    all.push_back(second.submit(same, 2));
    CHECK(coproc::wait(all, wait_condition::first_completed));
    CHECK(all[1].ready());
    auto other = meeting.await_arrival();
    CHECK_FALSE(coproc::wait(all, wait_condition::all_completed, 1ms));
    CHECK_FALSE(coproc::wait(all, wait_condition::all_completed, 0ms));
    CHECK_FALSE(coproc::wait(all, wait_condition::first_exception, 1ms));
    other.close();
    CHECK(coproc::wait(all));
    auto stream = coproc::as_completed(std::move(all));
    int sum = 0;
    while (auto e = stream.next()) {
        sum += e->value();
    }
    CHECK(sum == 3);
}

TEST_CASE("blocking on a loop for jobs of that loop is refused", "[wait]") {
    test::run([]() -> asio::awaitable<void> {
        const auto loop = co_await asio::this_coro::executor;
        coproc::executor executor(loop, {.max_workers = 1});
        jobs all;
        all.push_back(executor.submit(same, 1));
        CHECK_THROWS_AS(coproc::wait(all), coproc::failed);
        CHECK_FALSE(coproc::wait(all, wait_condition::all_completed, 0ms)); // that blocks nobody
        co_await coproc::async_wait(all, wait_condition::all_completed, asio::use_awaitable);
        CHECK(coproc::wait(all));
    }());
}

TEST_CASE("the end of a loop destroys the handler that waits for several jobs", "[wait]") {
    const auto alive = std::make_shared<int>(0);
    bool called = false;
    {
        asio::io_context loop;
        coproc::executor executor(loop, {.max_workers = 1});
        jobs all;
        all.push_back(executor.submit(same, 1));
        coproc::async_wait(all, wait_condition::all_completed, 1h,
                           [&called, alive](bool) { called = true; });
    }
    CHECK_FALSE(called);
    CHECK(alive.use_count() == 1);
}
