#pragma once

#include "support/loop.hpp"
#include "support/meeting.hpp"

#include <coproc/coproc.hpp>
#include <coproc/progress.hpp>

#include <string>
#include <vector>

// Tasks that report, and a reader.
namespace test::reports {

using coproc::progress;
using coproc::progress_options;
using coproc::progress_sink;

inline int count_to(int n, const progress_sink<int>& sink) {
    for (int i = 0; i < n; ++i) {
        sink(i);
    }
    return n;
}

/// Reports a number, then meets the test.
inline int report_and_meet(int n, std::string name, progress_sink<int> sink) {
    sink(n);
    test::visit(name).await_leave();
    return n;
}

inline asio::awaitable<std::vector<int>> read_all(progress<int>& from) {
    std::vector<int> all;
    while (auto next = co_await from.async_next()) {
        all.push_back(next->value());
    }
    co_return all;
}

inline std::vector<int> numbers_to(int n) {
    std::vector<int> all;
    for (int i = 0; i < n; ++i) {
        all.push_back(i);
    }
    return all;
}

inline constexpr progress_options roomy{.capacity = 100'000};
inline constexpr progress_options waiting{.capacity = 2, .when_full = coproc::full_policy::wait};

} // namespace test::reports
