#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"

#include <coproc/coproc.hpp>

#include <asio/bind_allocator.hpp>
#include <asio/bind_executor.hpp>
#include <asio/detached.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

// How executors end, where handlers run, and who may block.

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
    const auto idle = test::children();
    REQUIRE(idle.size() == 1);
    ::kill(idle.front(), SIGKILL);
    while (executor.stats().crashed_workers == 0) {
        co_await test::turn();
    }
    CHECK(executor.stats().idle_workers == 0);
}

/// Counts what a handler's allocator is asked for.
template <class T>
struct counting_allocator {
    using value_type = T;
    int* count;
    explicit counting_allocator(int* c) : count(c) {}
    template <class U>
    counting_allocator(const counting_allocator<U>& other) : count(other.count) {}
    T* allocate(std::size_t n) {
        ++*count;
        return std::allocator<T>().allocate(n);
    }
    void deallocate(T* p, std::size_t n) {
        --*count;
        std::allocator<T>().deallocate(p, n);
    }
    bool operator==(const counting_allocator&) const = default;
};

} // namespace

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

TEST_CASE("get returns at once on a thread that runs the loop, and blocks on others", "[ends]") {
    const auto check = [](asio::any_io_executor io) {
        std::promise<void> done;
        coproc::executor executor(io, {.max_workers = 1});
        asio::post(io, [&] {
            const auto got = executor.submit(same, 1).get();
            CHECK(got.error() == errc::would_deadlock);
            done.set_value();
        });
        done.get_future().get();
        CHECK(executor.submit(same, 2).get().value() == 2);
    };
    asio::io_context loop;
    auto work = asio::make_work_guard(loop);
    std::thread runner([&] { loop.run(); });
    check(loop.get_executor());
    check(asio::make_strand(loop));
    check(asio::make_strand(asio::any_io_executor(loop.get_executor())));
    work.reset();
    runner.join();
    asio::thread_pool pool(2);
    check(pool.get_executor());
    check(asio::make_strand(pool));
    pool.join();
}

TEST_CASE("handlers run on their executor, with their allocator, never from inside", "[ends]") {
    asio::io_context loop;
    asio::io_context other;
    auto strand = asio::make_strand(loop);
    coproc::executor executor(loop, {.max_workers = 1});
    bool here = false;
    bool there = false;
    bool in_strand = false;
    int allocated = 0;
    executor.submit(same, 1)([&](coproc::result<int>) { here = true; });
    executor.submit(same, 2)(
        asio::bind_executor(other, [&](coproc::result<int> r) { there = r.value() == 2; }));
    executor.submit(same, 3)(asio::bind_executor(
        strand, [&](coproc::result<int>) { in_strand = strand.running_in_this_thread(); }));
    executor.submit(same, 4)(
        asio::bind_allocator(counting_allocator<int>(&allocated), [](coproc::result<int>) {}));
    CHECK(allocated == 1);
    test::run(loop);
    CHECK(here);
    CHECK(in_strand);
    CHECK_FALSE(there);
    CHECK(allocated == 0);
    test::run(other);
    CHECK(there);
    auto ready = executor.submit({.timeout = 0ms}, same, 1);
    CHECK(ready.ready());
    bool inside = false;
    ready.async_wait([&] { inside = true; });
    CHECK_FALSE(inside);
    test::run(loop);
    CHECK(inside);
}

TEST_CASE("a handler that throws through run costs no other handler", "[ends]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    int called = 0;
    for (int i = 0; i < 30; ++i) {
        executor.submit(same, i)([&called, i](coproc::result<int> r) {
            ++called;
            if (i % 3 == 0) {
                throw r.value();
            }
        });
    }
    int thrown = 0;
    for (bool more = true; more;) {
        try {
            test::run(loop);
            more = false;
        } catch (int) {
            ++thrown;
        }
    }
    CHECK(called == 30);
    CHECK(thrown == 10);
}

TEST_CASE("a handler that blocks holds up no other on a loop of several threads",
          "[ends][threads]") {
    asio::io_context loop(2);
    coproc::executor executor(loop, {.max_workers = 1});
    std::mutex mutex;
    std::condition_variable changed;
    int arrived = 0;
    std::vector<coproc::job<int>> jobs;
    for (int i = 0; i < 2; ++i) {
        jobs.push_back(executor.submit(same, i));
        jobs.back().async_wait([&] {
            std::unique_lock lock(mutex);
            ++arrived;
            changed.notify_all();
            CHECK(changed.wait_for(lock, test::patience, [&] { return arrived == 2; }));
        });
    }
    executor.stop(); // both are done at the same moment
    std::thread other([&] { loop.run(); });
    loop.run();
    other.join();
    CHECK(arrived == 2);
}
TEST_CASE("many threads submit to a loop of many threads", "[ends][threads]") {
    const std::size_t descriptors = test::open_descriptors();
    {
        asio::thread_pool pool(3);
        coproc::executor executor(pool, {.max_workers = 3});
        std::atomic<int> right = 0;
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&, t] {
                for (int i = 0; i < 300; ++i) {
                    auto job = executor.submit(same, t * 1000 + i);
                    if (i % 3 == 0) {
                        right += std::move(job).get().value() == t * 1000 + i;
                    } else if (i % 3 == 1) {
                        std::move(job)([&right, want = t * 1000 + i](coproc::result<int> r) {
                            right += r.value() == want;
                        });
                    } else {
                        job.cancel();
                        const auto r = std::move(job).get();
                        right += r.has_value() || r.error() == errc::cancelled;
                    }
                }
            });
        }
        for (auto& thread : threads) {
            thread.join();
        }
        pool.join();
        CHECK(right == 1200);
    }
    CHECK_FALSE(test::has_children());
    CHECK(test::descriptors_settle(descriptors));
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
