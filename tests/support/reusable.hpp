#pragma once

#include "support/catch.hpp"
#include "support/loop.hpp"

#include <coproc/reusable.hpp>

#include <string>
#include <thread>
#include <utility>
#include <vector>

// For tests of reusable executors, which belong to the process and not to a test.
namespace test {

/// Ends the reusable executor of a name with the test, so that the next test makes its own.
class ends_reusable {
public:
    explicit ends_reusable(std::string name = {}) : name_(std::move(name)) {}
    ends_reusable(const ends_reusable&) = delete;
    ends_reusable& operator=(const ends_reusable&) = delete;
    ~ends_reusable() {
        coproc::get_reusable_executor({}, {.name = name_, .reuse = coproc::reuse_policy::always})
            ->stop();
    }

private:
    std::string name_;
};

/// Blocks until it is so; for what a thread of the library does.
template <class Condition>
void await(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        REQUIRE(std::chrono::steady_clock::now() < end);
        std::this_thread::yield();
    }
}

inline std::size_t workers_of(const coproc::executor& executor) {
    const coproc::executor_stats s = executor.stats();
    return s.starting_workers + s.idle_workers + s.busy_workers + s.leaving_workers;
}

/// Calls `work(number)` in so many threads at a time. It must not throw, nor check.
template <class Work>
void in_threads(int count, Work work) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
        threads.emplace_back([&work, i] { work(i); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

} // namespace test
