#pragma once

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <coproc/executor.hpp>
#include <coproc/shared_array.hpp>
#include <coproc/submit.hpp>
#include <coproc/worker.hpp>

// What the workers are made to do.
namespace soak {

inline int twice(int n) { return 2 * n; }

inline std::string echo(const std::string& text) { return text; }

inline int refuse(int n) { throw std::out_of_range("no " + std::to_string(n)); }

/// Ends its process in one of several ways.
inline int end_process(int how) {
    switch (how % 4) {
    case 0:
        std::raise(SIGSEGV);
        break;
    case 1:
        std::abort();
    case 2:
        std::_Exit(3);
    default:
        std::raise(SIGKILL);
    }
    return how;
}

/// Memory that nobody gives back.
inline int leak(std::size_t bytes) {
    static std::vector<std::vector<char>>& kept = *new std::vector<std::vector<char>>();
    kept.emplace_back(bytes, 'x');
    return static_cast<int>(kept.size());
}

/// Works for so long; heeds a request to stop if it is polite.
inline int work(int milliseconds, bool polite) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    while (std::chrono::steady_clock::now() < end) {
        if (polite && coproc::this_task::stop_requested()) {
            return -1;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return milliseconds;
}

/// One in three of its tasks has the worker replaced.
inline int retire_sometimes(int n) {
    if (n % 3 == 0) {
        coproc::this_worker::retire();
    }
    return n;
}

/// Holds so much until it is killed.
inline int take_and_stay(std::size_t bytes) {
    const std::vector<char> taken(bytes, 'x');
    for (;;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(taken[bytes / 2]));
    }
}

inline int ends_of(std::span<const int> array) { return array.front() + array.back(); }
inline int ends_of_last(const std::vector<coproc::shared_array<int>>& arrays) {
    return ends_of(arrays.back().span());
}
inline int ends_later(std::span<const int> array, int milliseconds) {
    const int before = array.front();
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    return before == array.front() ? ends_of(array) : -1;
}

/// Has a worker of this worker do it.
inline int twice_within(int n) {
    coproc::executor inner(coproc::own_thread, {.max_workers = 1});
    return inner.submit(twice, n).get().value();
}

/// Some workers do not leave when they are asked to.
inline void leave_so(int how) {
    coproc::this_worker::on_exit([how] {
        while (how == 0) {
            std::this_thread::sleep_for(std::chrono::seconds(1));
        }
    });
}

inline void load(int value) { coproc::this_worker::local<int>(value); }
inline int loaded() { return coproc::this_worker::local<int>(-1); }

} // namespace soak
