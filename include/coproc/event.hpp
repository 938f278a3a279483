#pragma once

#include <coproc/error.hpp>
#include <coproc/failure.hpp>
#include <coproc/memory_report.hpp>
#include <coproc/queue_reason.hpp>
#include <coproc/retire_reason.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

// What an executor tells its observer (executor_options::observer): each thing that happens, as a
// struct of its own.
namespace coproc {

/// When the executor learnt it, or decided it. Events come in the order of these times.
using event_time = std::chrono::steady_clock::time_point;

/// Which worker an event is about.
struct observed_worker {
    std::uint64_t number = 0; ///< among all workers of its executor, from 1; never used twice
    std::size_t slot = 0;     ///< as this_worker::slot(); its successor may have the same
    int pid = 0;              ///< this process's with start_method::in_process
};

/// Which task an event is about.
struct observed_task {
    std::uint64_t id = 0; ///< as job::id() and this_task::id()
    /// task_options::name, or the name that the function was submitted by, as far as it is known
    /// without a look into symbol tables; else empty. Valid during the call of the observer only.
    std::string_view name = {};
};

/// There is a new process. It cannot take tasks yet.
struct worker_started {
    event_time at = {};          ///< when the executor had it
    observed_worker worker = {}; ///< the new one
};

/// No process could be made for a worker that was wanted; its pid is 0. What waits fails if that
/// goes on (executor_options::max_failed_starts).
struct worker_start_failed {
    event_time at = {};          ///< when that was known
    observed_worker worker = {}; ///< the one that was wanted
    errc code = {};              ///< what tasks would fail with
};

/// Its initializers have been run: it takes tasks.
struct worker_ready {
    event_time at = {};          ///< when its last initializer was answered, or its hello had come
    observed_worker worker = {}; ///< the one that was started before
};

/// It was decided that a worker shall go, for no fault of its own. It works on until its successor
/// is ready, if it has one, and ends what it has begun; then worker_ended. If it is wanted again
/// before it has left, it stays, and may be retired once more.
struct worker_retired {
    event_time at = {};                         ///< when that was decided
    observed_worker worker = {};                ///< the one that shall go
    retire_reason reason = retire_reason::none; ///< why; never none
    /// With retire_reason::memory: what it had, and which functions it grew with.
    std::optional<memory_report> memory = {};
};

/// A worker that was ready ends, or has ended, without having been told to: it crashes, exits or
/// broke the protocol. Told at the first sign of it; how it ended says worker_ended.
struct worker_crashed {
    event_time at = {};          ///< when the executor noticed it
    observed_worker worker = {}; ///< the one that ends
};

/// A process is gone, whatever the reason. The last event of a worker. Those that are killed by
/// executor::stop, or by the end of the executor, have none: nobody waits for them.
struct worker_ended {
    event_time at = {};             ///< when it was reaped
    observed_worker worker = {};    ///< the one that is gone; its pid may be another's by now
    bool ready = false;             ///< whether it ever was; if not, this is a failed start, unless
                                    ///< it was dismissed meanwhile, by a resize or a shutdown
    bool killed = false;            ///< whether the executor has killed it
    std::optional<int> signal = {}; ///< the signal that ended it
    std::optional<int> status =
        {}; ///< what it exited with; neither is set with start_method::in_process
};

/// executor::resize was called.
struct executor_resized {
    event_time at = {};   ///< when it was
    std::size_t from = 0; ///< max_workers until now
    std::size_t to = 0;   ///< and from now on
};

/// A task waits for a worker: it was submitted, or is on its way from one worker to another. One
/// that is refused by submit has no events, but for detached_failed.
struct task_queued {
    event_time at = {};                         ///< when it came into the queue
    observed_task task = {};                    ///< the one that waits
    queue_reason why = queue_reason::submitted; ///< where it came from
};

/// A task was given to a worker. It begins when the worker has ended what it was given before: at
/// once, as a rule, if each task takes longer than some milliseconds. The moment at which it begins
/// is not told, because only the worker knows it; job::state() asks.
struct task_staged {
    event_time at = {};          ///< when it was given
    observed_task task = {};     ///< the one that was given
    observed_worker worker = {}; ///< to this one
};

/// A task has its end. Told once, for each task that was queued.
struct task_done {
    event_time at = {};      ///< when its end was known
    observed_task task = {}; ///< the one that is over
    /// Who had it; none if it ended while it waited.
    std::optional<observed_worker> worker = {};
    /// What went wrong. None: the function has returned a value, and it is here. For a chunk of a
    /// map none as well if only elements have failed.
    std::optional<errc> error = {};
    coproc::certainty certainty =
        coproc::certainty::not_started; ///< as failure::certainty(); `ran` if nothing went wrong
};

/// A task that nobody waits for, because its job was detached, has failed; after its task_done, if
/// it has one.
struct detached_failed {
    event_time at = {};      ///< when that was known
    observed_task task = {}; ///< the one that nobody waits for
    failure why = {};        ///< what its job would have given
};

/**
 * @brief One of them, for std::visit, std::get_if and std::holds_alternative. Later versions may
 * add structs and fields.
 *
 * A class whose base is the variant, and not a name for it, so that <coproc/options.hpp> need not
 * include this header: programs without an observer are compiled without it.
 */
struct event : std::variant<worker_started, worker_start_failed, worker_ready, worker_retired,
                            worker_crashed, worker_ended, executor_resized, task_queued,
                            task_staged, task_done, detached_failed> {
    using variant::variant;
};

} // namespace coproc
