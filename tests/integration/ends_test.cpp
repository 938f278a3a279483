#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"
#include "support/workers.hpp"

#include <coproc/coproc.hpp>

#include <asio/detached.hpp>
#include <asio/strand.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

// How executors end, by themselves and by others.

namespace {

using coproc::certainty;
using coproc::errc;
using coproc::shutdown_mode;
using namespace std::chrono_literals;

int same(int n) { return n; }

int stay(std::string name) {
    test::visit(name).await_leave();
    return 1;
}

int ask(std::string name) {
    test::visit here(name);
    while (!coproc::this_task::stop_requested()) {
        std::this_thread::yield();
    }
    return 2;
}

asio::awaitable<void> drain() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    std::vector<coproc::job<int>> jobs;
    for (int i = 0; i < 50; ++i) {
        jobs.push_back(executor.submit(same, i));
    }
    const auto report = co_await executor.async_shutdown({}, asio::use_awaitable);
    CHECK(report.cancelled == 0);
    CHECK(report.killed_workers == 0);
    for (auto& job : jobs) {
        REQUIRE(job.ready());
        CHECK(std::move(job).get().has_value());
    }
    CHECK((test::children().empty()));
    auto late = executor.submit(same, 1);
    CHECK(late.ready());
    const auto got = co_await std::move(late);
    CHECK(got.error() == errc::executor_shutdown);
    CHECK(got.error().certainty() == certainty::not_started);
    const auto again = co_await executor.async_shutdown({}, asio::use_awaitable);
    CHECK(again.cancelled == 0);
}

asio::awaitable<void> cancel_queued() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    auto running = executor.submit(stay, meeting.name());
    std::vector<coproc::job<int>> behind;
    for (int i = 0; i < 5; ++i) {
        behind.push_back(executor.submit(same, i));
    }
    auto other = co_await meeting.arrival();
    std::optional<coproc::shutdown_report> report;
    executor.async_shutdown({.mode = shutdown_mode::cancel_queued},
                            [&](coproc::shutdown_report r) { report = r; });
    for (auto& job : behind) {
        const auto got = co_await std::move(job);
        CHECK(got.error() == errc::executor_shutdown);
        CHECK(got.error().certainty() == certainty::not_started);
    }
    CHECK_FALSE(report);
    other.close();
    const auto got = co_await std::move(running);
    CHECK(got.value() == 1);
    while (!report) {
        co_await test::turn();
    }
    CHECK(report->cancelled == 5);
    CHECK(report->lost == 0);
    CHECK(report->killed_workers == 0);
}

asio::awaitable<void> kill() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    test::meeting meeting(loop);
    auto deaf = executor.submit({.grace = 0ms}, stay, meeting.name());
    auto first = co_await meeting.arrival();
    auto polite = executor.submit({.grace = coproc::no_limit}, ask, meeting.name());
    auto second = co_await meeting.arrival();
    // A drain that takes too long becomes a kill, and a stricter call joins it.
    executor.async_shutdown({.timeout = 1h}, asio::detached);
    const auto report = co_await executor.async_shutdown(
        {.mode = shutdown_mode::drain, .timeout = 0ms}, asio::use_awaitable);
    CHECK(report.cancelled == 2);
    CHECK(report.lost == 2);
    CHECK(report.killed_workers == 1);
    const auto got = co_await std::move(deaf);
    CHECK(got.error() == errc::executor_shutdown);
    CHECK(got.error().certainty() == certainty::may_have_run);
    const auto other = co_await std::move(polite);
    CHECK(other.error() == errc::executor_shutdown);
}

asio::awaitable<void> idle_watch() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .watch_idle = true});
    const auto got = co_await executor.submit(same, 1);
    CHECK(got.value() == 1);
    const auto idle = test::workers();
    REQUIRE(idle.size() == 1);
    ::kill(idle.front(), SIGKILL);
    while (executor.stats().crashed_workers == 0) {
        co_await test::turn();
    }
    CHECK(executor.stats().idle_workers == 0);
}

} // namespace

TEST_CASE("a time-out that was over when it was given up does not keep the loop", "[ends]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    for (int round = 0; round < 50; ++round) {
        const auto soon = std::chrono::microseconds(100 * round);
        auto first = executor.submit({.timeout = soon}, same, 1);
        loop.restart();
        loop.poll();
        std::this_thread::sleep_for(soon); // its time is over, and its result may be there, too
        bool handled = false;
        asio::post(loop, [&] {
            auto second = executor.submit({.timeout = 1h}, same, 2);
            second.cancel();
            handled = true;
        });
        test::run(loop); // not for an hour
        CHECK(handled);
        CHECK(first.ready());
    }
}

TEST_CASE("a shutdown that is over is not given more time", "[ends]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1, .watch_idle = true});
    auto job = executor.submit(same, 1);
    int reports = 0;
    for (int call = 0; call < 2; ++call) {
        executor.async_shutdown({.timeout = 1h}, [&](coproc::shutdown_report) { ++reports; });
        test::run(loop); // not for an hour
        CHECK(reports == call + 1);
    }
    CHECK(std::move(job).get().value() == 1);
}

TEST_CASE("a drain lets all tasks end and leaves no worker", "[ends]") { test::run(drain()); }
TEST_CASE("a shutdown cancels what has not begun", "[ends]") { test::run(cancel_queued()); }
TEST_CASE("a shutdown kills what does not end", "[process][ends]") { test::run(kill()); }
TEST_CASE("the death of an idle worker is seen at once if it is watched", "[process][ends]") {
    test::run(idle_watch());
}

TEST_CASE("run returns with the executor alive, again and again", "[ends]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 2});
    for (int i = 0; i < 5; ++i) {
        auto job = executor.submit(same, i);
        test::run(loop);
        REQUIRE(job.ready());
        CHECK(std::move(job).get().value() == i);
    }
    auto dropped = std::optional(executor.submit(same, 1));
    dropped.reset();
    test::run(loop);
    CHECK(executor.stats().completed == 6);
}

TEST_CASE("run returns after a shutdown, a stop and a destruction", "[ends]") {
    const std::size_t descriptors = test::open_descriptors();
    for (const int how : {0, 1, 2}) {
        asio::io_context loop;
        auto executor = std::make_optional<coproc::executor>(
            loop, coproc::executor_options{.max_workers = 2, .watch_idle = true});
        test::meeting meeting(loop);
        auto job = executor->submit(stay, meeting.name());
        asio::co_spawn(
            loop,
            [&]() -> asio::awaitable<void> {
                auto other = co_await meeting.arrival();
                if (how == 0) {
                    executor->async_shutdown({.mode = shutdown_mode::kill, .timeout = 0ms},
                                             asio::detached);
                } else if (how == 1) {
                    executor->stop();
                } else {
                    executor.reset();
                }
                CHECK(job.ready());
            },
            asio::detached);
        test::run(loop);
        CHECK(std::move(job).get().error() == errc::executor_shutdown);
    }
    CHECK_FALSE(test::has_children());
    CHECK(test::descriptors_settle(descriptors));
}

TEST_CASE("an executor may end at any time relative to its loop", "[ends]") {
    const std::size_t descriptors = test::open_descriptors();
    SECTION("before the loop ran") {
        asio::io_context loop;
        bool called = false;
        {
            coproc::executor executor(loop);
            executor.submit(same, 1)([&](coproc::result<int> r) {
                called = true;
                CHECK(r.error() == errc::executor_shutdown);
            });
        }
        CHECK_FALSE(called);
        test::run(loop);
        CHECK(called);
    }
    SECTION("never having run") {
        asio::io_context loop;
        coproc::executor executor(loop);
        auto job = executor.submit(same, 1);
        executor.submit(same, 1)([](coproc::result<int>) { FAIL("nothing runs"); });
    }
    SECTION("with the loop stopped and a task running") {
        asio::io_context loop;
        coproc::executor executor(loop, {.max_workers = 2});
        test::meeting meeting(loop);
        auto job = executor.submit(stay, meeting.name());
        asio::co_spawn(
            loop,
            [&]() -> asio::awaitable<void> {
                auto other = co_await meeting.arrival();
                loop.stop();
            },
            asio::detached);
        loop.run();
    }
    SECTION("after the loop was destroyed, and the job last") {
        std::optional<coproc::job<int>> job;
        std::optional<coproc::executor> executor;
        {
            asio::io_context loop;
            executor.emplace(loop, coproc::executor_options{.max_workers = 1});
            auto first = executor->submit(same, 1);
            test::run(loop);
            job = executor->submit(same, 1);
            job->async_wait([keep = std::make_shared<int>()] { FAIL("nothing runs"); });
        }
        CHECK(job->ready());
        auto late = executor->submit(same, 1);
        CHECK(std::move(late).get().error() == errc::executor_shutdown);
        executor.reset();
        CHECK(std::move(*job).get().error() == errc::executor_shutdown);
    }
    SECTION("moved, also over another one") {
        asio::io_context loop;
        coproc::executor first(loop, {.max_workers = 1});
        auto one = first.submit(same, 1);
        coproc::executor second(loop, {.max_workers = 1});
        auto two = second.submit(same, 2);
        second = std::move(first);
        coproc::executor third(std::move(second));
        test::run(loop);
        CHECK(std::move(one).get().value() == 1);
        CHECK(std::move(two).get().error() == errc::executor_shutdown);
    }
    CHECK_FALSE(test::has_children());
    CHECK(test::descriptors_settle(descriptors));
}

TEST_CASE("what is left of an executor may go while its loop does", "[ends][threads]") {
    for (int round = 0; round < 300; ++round) {
        auto loop = std::make_unique<asio::io_context>();
        std::optional<coproc::job<int>> job;
        {
            coproc::executor executor(asio::make_strand(*loop), {.max_workers = 1});
            job = executor.submit(same, 1);
        }
        loop->poll(); // nothing but the job is left
        std::atomic<int> there = 0;
        const auto together = [&there](int later) { // of either, a little more each round
            for (++there; there < 2;) {
            }
            for (std::atomic<int> i = 0; i < later; ++i) {
            }
        };
        std::thread thread([&] {
            together(5 * (round - 150));
            job.reset();
        });
        together(5 * (150 - round));
        loop.reset();
        thread.join();
    }
}

TEST_CASE("an executor with a thread of its own needs no loop", "[ends]") {
    const std::size_t descriptors = test::open_descriptors();
    {
        coproc::executor executor(coproc::own_thread, {.max_workers = 2});
        CHECK(executor.submit(same, 1).get().value() == 1);
        auto job = executor.submit(same, 2);
        std::promise<bool> deadlock;
        job.async_wait([&] {
            deadlock.set_value(executor.submit(same, 3).get().error() == errc::would_deadlock);
        });
        CHECK(deadlock.get_future().get());
        const auto report = executor.shutdown();
        CHECK(report.killed_workers == 0);
        CHECK(job.ready());
        CHECK_FALSE(test::has_children());
    }
    {
        auto executor = std::make_unique<coproc::executor>(coproc::own_thread);
        std::promise<void> gone;
        executor->submit(same, 1)([&](coproc::result<int>) {
            executor.reset();
            gone.set_value();
        });
        gone.get_future().get();
    }
    {
        asio::io_context loop;
        coproc::executor executor(loop);
        CHECK_THROWS_AS(executor.shutdown(), std::logic_error);
    }
    CHECK(test::descriptors_settle(descriptors)); // the thread of the second one is ending
    CHECK_FALSE(test::has_children());
}

TEST_CASE("a forked child leaves its parent's executor alone", "[process][ends]") {
    auto loop = std::make_optional<asio::io_context>();
    auto executor =
        std::make_optional<coproc::executor>(*loop, coproc::executor_options{.max_workers = 1});
    auto before = executor->submit(::getpid);
    test::run(*loop);
    const int worker = std::move(before).get().value();
    auto pending = std::make_optional(executor->submit(::getpid));
    const pid_t child = ::fork();
    if (child == 0) {
        int wrong = 0;
        const auto got = executor->submit(same, 1).get();
        wrong += got.has_value() || !(got.error() == errc::forked);
        pending->cancel();
        const auto lost = std::move(*pending).get();
        wrong += lost.has_value() || !(lost.error() == errc::forked);
        pending.reset();
        executor->stop();
        executor.reset();
        loop.reset();
        ::_exit(wrong);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    test::run(*loop);
    REQUIRE(pending->ready());
    CHECK(std::move(*pending).get().value() == worker);
}

TEST_CASE("a destroyed executor's workers are reaped while the loop goes on", "[process][ends]") {
    asio::io_context loop;
    auto executor =
        std::make_unique<coproc::executor>(loop, coproc::executor_options{.max_workers = 2});
    std::vector<coproc::job<int>> jobs;
    for (int i = 0; i < 20; ++i) {
        jobs.push_back(executor->submit(same, i));
    }
    test::run(loop);
    jobs.push_back(executor->submit(same, 1)); // its workers are listened to
    executor.reset();
    test::run(loop);
    CHECK_FALSE(test::has_children());
}

TEST_CASE("any thread may stop an executor with a thread of its own", "[ends][threads]") {
    for (int round = 0; round < 20; ++round) {
        coproc::executor executor(coproc::own_thread, {.max_workers = 1});
        auto job = executor.submit(same, 1);
        std::thread one([&] { executor.stop(); });
        std::thread other([&] { executor.stop(); });
        one.join();
        other.join();
        static_cast<void>(std::move(job).get());
        asio::io_context loop;
        bool called = false;
        asio::co_spawn(
            loop,
            [&]() -> asio::awaitable<void> {
                auto late = executor.submit(same, 2);
                const auto got = co_await std::move(late);
                called = got.has_error() && got.error() == errc::executor_shutdown;
            },
            asio::detached);
        test::run(loop);
        CHECK(called);
    }
}
