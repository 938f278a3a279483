#pragma once

// An executor that is made when it is asked for, kept, and whole again whatever became of it.

#include <coproc/detail/config.hpp>
#include <coproc/executor.hpp>
#include <coproc/options.hpp>
#include <coproc/reuse_options.hpp>

#include <memory>

namespace coproc {

/**
 * @brief The executor of this process and name: the one that is there, or a new one in its place.
 *
 * Made by the first call, on a loop with a thread of its own. Later calls give the same one as long
 * as their options are equal, field by field, to those that it was made with; `max_workers` is not
 * compared: given, the executor is resized to it; unset, it stays as it is. It is replaced if the
 * options differ, if it is broken or was shut down, or if reuse_options::reuse says so.
 *
 * A replacement for one that is broken or was shut down has the options of that one, environment
 * and all, if the call's are equal or reuse_policy::always is asked for, and its size, unless the
 * call gives another. Any other one has those of the call.
 *
 * The executor that was replaced serves those who hold it, and ends when the last of them lets go
 * and its tasks are done: it is drained, not stopped, also where a plain executor's destructor
 * would stop it. reuse_options::kill_workers ends it at once.
 *
 * Its workers leave when they were idle for 10 s (executor_options::idle_timeout, unset), and idle
 * ones are watched, whatever watch_idle says. `get()`, `shutdown()` and their kin may block any
 * thread but the executor's own.
 *
 * When the program ends (std::exit, or the return of main), tasks that are not done run to their
 * end, those of detached jobs and of replaced executors, too; handlers of jobs are not called any
 * more, nor destroyed. What else the program has put on get_executor() goes on meanwhile, and a
 * handler that runs is waited for; std::exit may be called from one. Afterwards a call gives an
 * executor that is shut down.
 *
 * In a child made by fork() the executors of its parent are inert: calls make new ones.
 *
 * @par Blocking
 * Waits for no task, worker or handler, and calls no code of users: it may be called from
 * completion handlers, from tasks (which have executors of their own, being other processes), and
 * from several threads with different options, each of which then gets what it asked for.
 * @par Errors
 * Throws std::bad_alloc; std::system_error if no thread can be made; std::invalid_argument, naming
 * the field or the environment variable, as the constructor of executor does. Then nothing has
 * changed.
 * @par Thread safety
 * Any thread.
 *
 * @param options  As for executor; with reuse_policy::always only max_workers counts where an
 *                 executor is there.
 * @param reuse    Which executor, and what becomes of the one that is there.
 */
COPROC_API std::shared_ptr<executor> get_reusable_executor(executor_options options,
                                                           reuse_options reuse);

// Not default arguments: they would be aggregate temporaries, which GCC 12 destroys twice in
// `co_await get_reusable_executor()->submit(f)`.

/// The same, of the program, with reuse_policy::automatic.
COPROC_API std::shared_ptr<executor> get_reusable_executor(executor_options options);

/// The same with the options' defaults.
COPROC_API std::shared_ptr<executor> get_reusable_executor();

} // namespace coproc
