#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"

#include <coproc/coproc.hpp>

#include <algorithm>
#include <vector>

// In which order tasks reach the workers.

namespace {

using namespace std::chrono_literals;

int stay(std::string name) {
    test::visit(name).await_leave();
    return 1;
}

/// How many tasks of this kind the worker ran before.
int turn(int) {
    static int turns = 0;
    return turns++;
}

asio::awaitable<void> by_priority() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    auto first = executor.submit(stay, meeting.name());
    auto other = co_await meeting.arrival();
    std::vector<int> priorities = {0, 0, -3, 7, 0, 7, 100, -3};
    std::vector<coproc::job<int>> jobs;
    for (const int priority : priorities) {
        jobs.push_back(executor.submit({.priority = priority}, turn, 0));
    }
    other.close();
    std::vector<int> turns;
    for (auto& job : jobs) {
        const auto got = co_await std::move(job);
        turns.push_back(got.value());
    }
    const int zero = *std::min_element(turns.begin(), turns.end());
    for (int& each : turns) {
        each -= zero;
    }
    CHECK(turns == std::vector<int>{3, 4, 6, 1, 5, 2, 0, 7});
    const auto got = co_await std::move(first);
    CHECK(got.value() == 1);
}

asio::awaitable<void> behind_a_long_task() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    test::meeting meeting(loop);
    auto longest = executor.submit(stay, meeting.name());
    auto other = co_await meeting.arrival();
    constexpr int count = 20000;
    std::vector<coproc::job<int>> jobs;
    for (int i = 0; i < count; ++i) {
        jobs.push_back(executor.submit(turn, 0));
    }
    std::vector<int> turns;
    for (auto& job : jobs) {
        const auto got = co_await std::move(job);
        turns.push_back(got.value());
    }
    const int zero = *std::min_element(turns.begin(), turns.end());
    int latest = 0;
    for (int i = 0; i < count; ++i) {
        latest = std::max(latest, turns[static_cast<std::size_t>(i)] - zero - i);
    }
    CHECK(latest < count * 3 / 4); // else it waited until there was nothing else to do
    other.close();
    const auto got = co_await std::move(longest);
    CHECK(got.value() == 1);
}

} // namespace

TEST_CASE("the greatest priority goes first, and the oldest within it", "[order]") {
    test::run(by_priority());
}

TEST_CASE("tasks behind a long one are not overtaken by all that come later", "[order]") {
    test::run(behind_a_long_task());
}
