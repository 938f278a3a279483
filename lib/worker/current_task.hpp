#pragma once

#include "memory/shared_page.hpp"
#include "wire/messages.hpp"
#include "worker/stop_watch.hpp"

#include <chrono>
#include <optional>
#include <stop_token>

namespace coproc::worker {

struct report_source;

/// The task that a thread runs, for this_task.
struct current_task {
    const memory::shared_page* page;
    std::uint64_t sequence;
    const wire::task_header* header;
    std::chrono::steady_clock::time_point started; ///< only if it has a run limit
    report_source* reports = nullptr;              ///< for the sinks among its arguments
    mutable std::optional<stop_watch> stop = {};   ///< once somebody has asked for a token

    /// Elements of a chunk share one.
    std::stop_token token() const {
        if (!stop) {
            stop.emplace(*page, sequence);
        }
        return stop->token();
    }
};

/// Null outside of tasks.
inline thread_local const current_task* this_thread_task = nullptr;
/// The slot of the worker that this thread serves.
inline thread_local std::size_t this_thread_slot = 0;

} // namespace coproc::worker
