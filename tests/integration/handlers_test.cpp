#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/processes.hpp"

#include <coproc/coproc.hpp>

#include <asio/bind_allocator.hpp>
#include <asio/bind_executor.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

// Where and when handlers run, who may block, and many threads at once.

namespace {

using coproc::errc;
using namespace std::chrono_literals;

int same(int n) { return n; }

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

TEST_CASE("get returns at once on a thread that runs the loop, and blocks on others",
          "[handlers]") {
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
    check(asio::prefer(asio::any_io_executor(loop.get_executor()),
                       asio::execution::outstanding_work.tracked));
    check(asio::prefer(asio::any_io_executor(loop.get_executor()), asio::execution::blocking.never,
                       asio::execution::relationship.continuation));
    check(asio::make_strand(loop));
    check(asio::make_strand(asio::any_io_executor(loop.get_executor())));
    work.reset();
    runner.join();
    asio::thread_pool pool(2);
    check(pool.get_executor());
    check(asio::make_strand(pool));
    pool.join();
}

TEST_CASE("handlers run on their executor, with their allocator, never from inside", "[handlers]") {
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

TEST_CASE("a handler that throws through run costs no other handler", "[handlers]") {
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
          "[handlers][threads]") {
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

TEST_CASE("many threads submit to a loop of many threads", "[handlers][threads]") {
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
