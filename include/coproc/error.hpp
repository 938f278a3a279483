#pragma once

#include <string_view>
#include <system_error>

#include <coproc/detail/config.hpp>

namespace coproc {

/// Why there is no value. Behind "Certainty:" stands what may be known about whether the task ran;
/// failure::certainty() knows it for the one task.
enum class errc {
    /// Nothing was stored: the result was default-constructed, or the coroutine that should have
    /// given it threw. Nothing is known about a task. Certainty: may_have_run.
    no_result = 1,
    /// The function ended with an exception, which failure::exception() gives back. Certainty: ran.
    task_threw,
    /// The worker process was killed by a signal or exited. Certainty: may_have_run; ran, if the
    /// result was lost with the worker; not_started, if it was the next task of worker after worker
    /// that died, or max_failed_starts in a row died before they had begun any.
    worker_terminated,
    /// The worker was killed, because it exceeded leak_options::hard or most likely by the kernel
    /// for want of memory, or there was not enough memory here to receive the result;
    /// failure::out_of_memory() says how sure that is. A task's own std::bad_alloc is task_threw.
    /// Certainty: that of worker_terminated, may_have_run or ran or not_started. If there was no
    /// memory here: ran, and may_have_run for the collected results of a stream or a value of a
    /// progress.
    out_of_memory,
    /// task_options::timeout or run_timeout is over. Certainty: not_started, may_have_run, or ran,
    /// if the result came too late.
    timed_out,
    /// The job was cancelled, or its handle dropped. Certainty: not_started, may_have_run or ran.
    cancelled,
    /// A codec refused a value, or the range of a map threw. Certainty: not_started for the
    /// arguments and for the range, ran for the result, may_have_run for a whole chunk of a map,
    /// whose message was wrong or had no memory.
    encode_failed,
    /// Bytes make no value. Certainty: not_started for the arguments, ran for the result,
    /// may_have_run for a value of a progress.
    decode_failed,
    /// The worker has no such function at that place, or under that name. Certainty: not_started.
    unknown_function,
    /// One of executor_options::initializers failed in the worker. Certainty: not_started, or
    /// may_have_run, if a worker had died in the task before (task_options::retries).
    initializer_failed,
    /// The system could not start a worker process. Certainty: as for initializer_failed,
    /// not_started or may_have_run.
    spawn_failed,
    /// A process was started, but it is no worker of this build, or with start_method::program of
    /// this library. Certainty: as for initializer_failed, not_started or may_have_run.
    handshake_failed,
    /// Too many workers in a row died before they were ready; the executor gave up. Certainty:
    /// not_started.
    executor_broken,
    /// The executor was stopped, shut down or destroyed. Certainty: not_started, may_have_run or
    /// ran.
    executor_shutdown,
    /// executor_options::max_queued tasks are waiting already. Certainty: not_started.
    queue_full,
    /// A message is too large. Certainty: not_started for that of the arguments, ran for that of
    /// the result.
    too_large,
    /// A blocking call on a thread that runs the executor's loop would have waited for itself.
    /// job::get withdraws its task, as cancel(total) does. stream::get cancels the rest likewise;
    /// other calls leave everything as it is. Certainty: may_have_run.
    would_deadlock,
    /// Executors inside tasks of executors are nested deeper than the environment variable
    /// COPROC_MAX_DEPTH allows, or than 10. Certainty: not_started.
    nesting_too_deep,
    /// This process is a fork of the one that made the executor. Certainty: not_started for a task
    /// that is submitted here; may_have_run for one that was submitted before, which is the
    /// parent's and may run there.
    forked
};

/// The enumerator's name, for logs and counters, as in "worker_terminated"; empty if the value has
/// none.
[[nodiscard]] COPROC_API std::string_view to_string(errc code) noexcept;

/// What is known about whether the task ran.
enum class certainty {
    /// The function was not called: submitting it again cannot do anything twice.
    not_started,
    /// The function may have been called, and may have been ended in the middle.
    may_have_run,
    /// The function was called and came to its end: it threw, or its result was lost.
    ran
};

/// The enumerator's name, as in "may_have_run"; empty if the value has none.
[[nodiscard]] COPROC_API std::string_view to_string(certainty known) noexcept;

/// The category of errc, named "coproc".
[[nodiscard]] COPROC_API const std::error_category& error_category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), error_category()};
}

/**
 * @brief Whether a code means the same as an errc.
 *
 * A code of our own category is compared as it stands. A foreign one is equal if both have the same
 * std::errc: timed_out, operation_canceled (cancelled), not_enough_memory (out_of_memory),
 * resource_unavailable_try_again (queue_full), resource_deadlock_would_occur (would_deadlock). So
 * asio::error::operation_aborted equals errc::cancelled.
 */
[[nodiscard]] COPROC_API bool operator==(const std::error_code& code, errc expected) noexcept;

/// Whether an errc belongs to a condition, as in `errc::timed_out == std::errc::timed_out`.
[[nodiscard]] inline bool operator==(errc code, const std::error_condition& condition) noexcept {
    return make_error_code(code) == condition;
}

} // namespace coproc

template <>
struct std::is_error_code_enum<coproc::errc> : std::true_type {};
