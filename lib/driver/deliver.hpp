#pragma once

#include "driver/own_loop.hpp"

#include <utility>

namespace coproc::detail {

/// Completes a waiter, unless it is a user's and the program ends.
inline void deliver(waiter& waiting, job_ptr job) {
    if (own_loop* const silent = own_loop::silent_here();
        silent != nullptr && !waiting.is_internal()) {
        silent->leave(waiting);
    } else {
        waiting.complete(std::move(job));
    }
}

} // namespace coproc::detail
