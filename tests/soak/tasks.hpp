#pragma once

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

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

inline void load(int value) { coproc::this_worker::local<int>(value); }
inline int loaded() { return coproc::this_worker::local<int>(-1); }

} // namespace soak
