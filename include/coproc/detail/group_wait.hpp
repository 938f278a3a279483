#pragma once

#include <coproc/detail/config.hpp>
#include <coproc/detail/job_core.hpp>
#include <coproc/options.hpp>
#include <coproc/wait_condition.hpp>

#include <asio/any_io_executor.hpp>

#include <cstddef>
#include <memory>
#include <vector>

// What a wait for several jobs is behind its handler. The rest is private to lib/driver.
namespace coproc::detail {

class group_wait;
using group_wait_ptr = std::shared_ptr<group_wait>;

/// Of the first job; without jobs: of the system.
COPROC_API const asio::any_io_executor& io_executor_of(const std::vector<job_ptr>& jobs) noexcept;
/// Throws std::invalid_argument for what is no condition.
COPROC_API void check_condition(wait_condition);
COPROC_API group_wait_ptr make_group_wait(const std::vector<job_ptr>& jobs, wait_condition);
/// The waiter is completed from the loop, never from inside: when the condition is met, the time is
/// over, or stop_waiting was called. Once.
COPROC_API void wait_for_group(group_wait&, waiter&, duration timeout);
COPROC_API void stop_waiting(group_wait&, const waiter*) noexcept;
COPROC_API bool is_met(const group_wait&) noexcept;
/// Blocks. Throws failed, errc::would_deadlock, where that would be for ever, and what
/// check_condition() throws.
COPROC_API bool block_for_group(const std::vector<job_ptr>& jobs, wait_condition, duration timeout);

/// Throws std::invalid_argument: there is no job at this place of the vector.
[[noreturn]] COPROC_API void refuse_taken_job(std::size_t place);

} // namespace coproc::detail
