#pragma once

#include <coproc/detail/config.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

// What a program says and asks inside its workers.
namespace coproc {

/**
 * @brief Makes this process a worker if it was started as one.
 *
 * The first line of `main`, unless the program is linked with coproc_main, which calls it before
 * `main`. In a worker it does not return: it runs tasks, and ends the process when the executor
 * does. Otherwise it returns at once, and from then on executors can start workers.
 *
 * A worker is a new process of the program: static constructors have run, `main` has not. Nothing
 * that `main` sets up is there.
 */
COPROC_API void init(int argc, char** argv);

/// Whether this process was started as a worker. Also valid in static constructors. Any thread.
COPROC_API bool in_worker() noexcept;

/// The task that this thread runs. Outside of one they are: false, none, 0, "".
namespace this_task {
/// Whether the task was cancelled or has timed out: it should end soon, its result may be of no
/// use. Costs one load from memory; ask often.
COPROC_API bool stop_requested() noexcept;
/// When the answer will be of no use any more, by either time-out.
COPROC_API std::optional<std::chrono::steady_clock::time_point> deadline() noexcept;
/// job::id() of the caller.
COPROC_API std::uint64_t id() noexcept;
/// task_options::name, if it was given. Valid until the task ends.
COPROC_API std::string_view name() noexcept;
} // namespace this_task

/// The worker that this thread serves.
namespace this_worker {
/// The worker's place in its executor: from 0, below max_workers (as it was when the worker
/// started). Of the workers with one place only one runs tasks at a time: the other is its
/// successor, or has been told to end. 0 outside of workers.
COPROC_API std::size_t slot() noexcept;
} // namespace this_worker

} // namespace coproc
