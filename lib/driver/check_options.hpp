#pragma once

#include "coproc/options.hpp"
#include "coproc/reuse_options.hpp"

namespace coproc::detail {

/// Fills in what is not given. Throws std::invalid_argument, naming the field or the environment
/// variable.
[[nodiscard]] executor_options complete(executor_options given);

/// Throws std::invalid_argument for what an executor with a thread of its own cannot have.
void check_for_own_thread(const executor_options& given);

/// How many levels of executors there may be, each in a task of the one before: the environment
/// variable COPROC_MAX_DEPTH, else 10. Throws std::invalid_argument if it says nothing of the kind.
[[nodiscard]] std::size_t max_nesting_depth();
/// Throws std::invalid_argument for what `max_workers` cannot be.
void check_size(std::size_t max_workers);
/// Throws std::invalid_argument, naming the field.
void check_options(const reuse_options&);
/// What is submitted at once is not to fail because the queue cannot hold it.
void check_in_flight(const map_options&, std::size_t max_queued);

} // namespace coproc::detail
