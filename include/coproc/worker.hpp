#pragma once

#include <coproc/detail/config.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>
#include <typeinfo>
#include <utility>

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

/// The task that this thread runs. Outside of one they are: false, never stopped, none, 0, "".
namespace this_task {
/// Whether the task was cancelled or has timed out: it should end soon, its result may be of no
/// use. Costs one load from memory; ask often.
COPROC_API bool stop_requested() noexcept;
/**
 * @brief The same as a token, for what takes one or has a std::stop_callback.
 *
 * The one that a task gets which has a std::stop_token as its first parameter. Valid until the task
 * ends; then its callbacks are gone, too. Made at the first use, with a thread that waits for the
 * request: where only the task itself asks, stop_requested() is cheaper. Outside of a task it is
 * one that is never stopped.
 *
 * @throws std::system_error  if there is no further thread
 */
COPROC_API std::stop_token stop_token();
/// When the answer will be of no use any more, by either time-out.
COPROC_API std::optional<std::chrono::steady_clock::time_point> deadline() noexcept;
/// job::id() of the caller.
COPROC_API std::uint64_t id() noexcept;
/// task_options::name, if it was given. Valid until the task ends.
COPROC_API std::string_view name() noexcept;
} // namespace this_task

namespace detail {
/// Null: none of the type is there yet.
COPROC_API void* find_local(const std::type_info&);
COPROC_API void keep_local(const std::type_info&, void* object, void (*destroy)(void*) noexcept);
} // namespace detail

/// The worker that this thread serves.
namespace this_worker {
/// The worker's place in its executor: from 0, below max_workers (as it was when the worker
/// started). Of the workers with one place only one runs tasks at a time: the other is its
/// successor, or has been told to end. 0 outside of workers.
COPROC_API std::size_t slot() noexcept;

/**
 * @brief An object that lives as long as the worker, one for each type.
 *
 * Made by the first call, with its arguments; later ones are ignored. For what is dear to make: a
 * model, a connection, a cache. Initializers (executor_options::initializers) may make it before
 * the first task. Destroyed when the worker leaves, the last made first; not when it is killed.
 *
 * On the thread that runs the task, also in its coroutines.
 *
 * @throws std::logic_error   on another thread, or outside of workers
 * @throws what the constructor throws; the next call tries again
 */
template <class T, class... Args>
T& local(Args&&... args) {
    if (void* const there = detail::find_local(typeid(T))) {
        return *static_cast<T*>(there);
    }
    auto made = std::make_unique<T>(std::forward<Args>(args)...);
    detail::keep_local(typeid(T), made.get(),
                       [](void* object) noexcept { delete static_cast<T*>(object); });
    return *made.release();
}

/**
 * @brief Has a function called when the worker leaves, before its objects are destroyed.
 *
 * The last added first; what they throw is ignored. They have executor_options::exit_timeout
 * together. Not called when the worker is killed. Throws std::logic_error as local does.
 */
COPROC_API void on_exit(std::function<void()> hook);

/**
 * @brief Has a function called when the worker has too much memory, before it is replaced for that.
 *
 * Between two tasks, if what the C library can give back by itself (malloc_trim) does not suffice;
 * then the worker is measured again (executor_options::leak). For caches that can be filled again,
 * and for allocators that keep what is freed: one of another library than the C library gives it
 * back by a call of its own, as jemalloc's `mallctl("arena.4096.purge", ...)`.
 *
 * Kept as long as the worker, and called each time, the first added first; what they throw is
 * ignored. They have executor_options::exit_timeout together, then the worker is killed, which
 * costs no task. Never called with start_method::in_process. Throws std::logic_error as local does.
 */
COPROC_API void on_cleanup(std::function<void()> hook);

/**
 * @brief Has the worker replaced after this task.
 *
 * It begins no task after this one; tasks that were sent to it go to others. For what cannot be
 * cleaned up otherwise: memory that has grown, a library in a bad state. Ignored outside of tasks,
 * so in initializers, which may throw, and on other threads.
 */
COPROC_API void retire() noexcept;
} // namespace this_worker

} // namespace coproc
