#pragma once

#include <coproc/detail/refusals.hpp>
#include <coproc/detail/submission.hpp>
#include <coproc/job.hpp>
#include <coproc/options.hpp>
#include <coproc/submit.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/deferred.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace coproc {

/// Chooses the constructor of executor that makes a thread.
struct own_thread_t {
    explicit own_thread_t() = default;
};
/// The argument that says so: `coproc::executor executor(coproc::own_thread);`
inline constexpr own_thread_t own_thread{};

template <class R>
class stream;
template <class T>
class shared_buffer;

namespace detail {
class executor_impl;
struct executor_access;

// The line is for compilers to print where a program has not included the header.
// clang-format off
template <class F, class... Ranges> struct mapping; // include <coproc/map.hpp> for executor.map
// clang-format on

COPROC_API void stop(executor_impl&) noexcept;
/// stop(), and the end of an own thread.
COPROC_API void end(executor_impl&) noexcept;
COPROC_API const asio::any_io_executor& io_executor_of(const executor_impl&) noexcept;
COPROC_API executor_stats stats_of(const executor_impl&);
/// Throws std::invalid_argument for a wrong number.
COPROC_API void resize(executor_impl&, std::size_t max_workers);
/// The start of workers as a job: done when they are ready.
COPROC_API job_ptr warm_up(executor_impl&, std::size_t workers);
COPROC_API shutdown_report shutdown_and_wait(executor_impl&, const shutdown_options&);
/// Throws std::invalid_argument with the name of the wrong field.
COPROC_API void check_options(const shutdown_options&);
/// The shutdown as a job: done when no worker is left.
COPROC_API job_ptr begin_shutdown(executor_impl&, const shutdown_options&);
COPROC_API shutdown_report report_of(const job_core& shutdown) noexcept;

struct deliver_report {
    template <class Handler>
    void operator()(Handler&& handler, job_ptr shutdown) {
        const shutdown_report report = report_of(*shutdown);
        shutdown = job_ptr();
        std::forward<Handler>(handler)(report);
    }
};

/// Starts executor::async_start.
struct initiate_start {
    using executor_type = asio::any_io_executor;
    executor_type get_executor() const noexcept { return io_executor_of(*impl); }

    template <class Handler>
    void operator()(Handler&& handler) const {
        initiate_take<void>{job_handle(warm_up(*impl, workers))}(std::forward<Handler>(handler));
    }

    std::shared_ptr<executor_impl> impl;
    std::size_t workers;
};

/// Starts executor::async_shutdown.
struct initiate_shutdown {
    using executor_type = asio::any_io_executor;
    executor_type get_executor() const noexcept { return io_executor_of(*impl); }

    template <class Handler>
    void operator()(Handler&& handler) const {
        auto& w = waiter_of<std::decay_t<Handler>, deliver_report>::make(
            std::decay_t<Handler>(std::forward<Handler>(handler)), io_executor_of(*impl));
        begin_or_abandon(w, [&] { add_waiter(*begin_shutdown(*impl, options), w); });
    }

    std::shared_ptr<executor_impl> impl;
    shutdown_options options;
};
} // namespace detail

/**
 * @brief Not an Asio executor: it runs functions in processes; get_executor() is the loop it lives
 * on.
 *
 * Gives the functions' results to coroutines, completion handlers and waiting threads.
 *
 * Lives on a loop that the caller runs, and makes no thread. Workers are processes of this very
 * program; `main` must begin with coproc::init, or the program must be linked with coproc_main.
 * They are started when tasks need them, run one task at a time, and stay, or end when they are
 * not needed (executor_options::idle_timeout). A task that crashes its worker costs itself: it
 * fails with errc::worker_terminated, the others go on, the worker is replaced.
 *
 * The executor is outstanding work for its loop while it has unfinished jobs, workers on their way
 * out, or a shutdown in progress, so run() returns when all is done. If it watches idle workers
 * (executor_options::watch_idle, min_workers, idle_timeout) run() returns after stop(),
 * async_shutdown() or the destructor.
 *
 * Destroying it stops it: see stop(). The destruction of the loop's execution context does, too. In
 * a child made by fork() the executor is inert: submit fails with errc::forked.
 *
 * @par Thread safety
 * submit, map, resize, stop and stats: any thread. Everything else: one thread at a time.
 */
class executor : private detail::refusals {
public:
    using refusals::submit;

    using executor_type = asio::any_io_executor;

    // Without options there is no default argument: it would be an aggregate temporary, which GCC
    // 12 destroys twice in `executor(co_await asio::this_coro::executor)`. None is inline: that
    // takes programs longer to compile.

    /**
     * @brief Lives on the given I/O executor: an io_context's, a thread_pool's, a strand of either.
     *
     * Starts nothing. Throws std::invalid_argument, naming the field, for options that are wrong in
     * themselves, or naming the environment variable that holds a bad value.
     */
    COPROC_API explicit executor(asio::any_io_executor io, executor_options options);

    /// The same, with the options' defaults.
    COPROC_API explicit executor(asio::any_io_executor io);

    /// Lives on the given execution context; otherwise as above.
    template <class ExecutionContext>
    requires std::is_convertible_v<ExecutionContext&, asio::execution_context&>
    explicit executor(ExecutionContext& context, executor_options options)
        : executor(asio::any_io_executor(context.get_executor()), std::move(options)) {}

    /// The same, with the options' defaults.
    template <class ExecutionContext>
    requires std::is_convertible_v<ExecutionContext&, asio::execution_context&>
    explicit executor(ExecutionContext& context)
        : executor(asio::any_io_executor(context.get_executor())) {}

    /// Lives on a loop of its own, run by a thread that this constructor makes; for scripts without
    /// a loop.
    COPROC_API explicit executor(own_thread_t tag, executor_options options);

    /// The same, with the options' defaults.
    COPROC_API explicit executor(own_thread_t tag);

    /// The moved-from executor may only be destroyed or assigned to.
    executor(executor&&) noexcept = default;
    /// Stops what this one was.
    executor& operator=(executor&& other) noexcept {
        if (this != &other) {
            end();
            impl_ = std::move(other.impl_);
        }
        return *this;
    }

    /// stop(). Never blocks the loop; unfinished jobs fail with errc::executor_shutdown. The killed
    /// processes are reaped by the loop, or when its execution context is destroyed. An executor
    /// with an own thread waits until nothing is outstanding on that thread, unless it is this one:
    /// that is what the handlers of its jobs do, and what you have started on get_executor() (end
    /// your timers there first).
    ~executor() { end(); }

    /// The I/O executor on which handlers run that have no associated one.
    executor_type get_executor() const noexcept { return detail::io_executor_of(*impl_); }

    /**
     * @brief Runs a function in a worker process.
     *
     * Encodes the arguments and queues the task before it returns; the job stands for the result.
     * `executor.submit(f, args...)` compiles if `f(args...)` does and everything has a codec, and
     * if the worker can own what the parameters refer to (docs/functions.md). An argument is
     * encoded as the parameter's type.
     *
     * @par Object lifetimes
     * Nothing of `function` and `args` is used after the return. Rvalues may be moved from, as in a
     * call, also if the job then fails. Those that are, or hold, a shared_array or a progress_sink
     * are, so that what they held goes with the task.
     * @par Executor
     * Arguments are encoded in the calling thread. No handler is called from inside.
     * @par Errors
     * Throws std::bad_alloc, and nothing else. Everything else comes through the job:
     *   - errc::task_threw         the function threw; ran
     *   - errc::worker_terminated  the worker ended while it had the task; may_have_run, or ran if
     * its result is lost; or max_failed_starts workers in a row ended before they had begun a task;
     * not_started
     *   - errc::out_of_memory      the same, because it exceeded leak_options::hard, or most likely
     * by the kernel's killer; or there was no memory here for the result; ran
     *   - errc::timed_out          task_options::timeout or run_timeout; not_started, may_have_run
     * or ran
     *   - errc::cancelled          the job was cancelled; not_started, may_have_run or ran
     *   - errc::encode_failed      an argument (not_started) or the result (ran) could not be
     * encoded
     *   - errc::decode_failed      the arguments (not_started) or the result (ran) could not be
     * decoded
     *   - errc::too_large          the message of the task (not_started) or its result (ran)
     * exceeds executor_options::max_message_bytes
     *   - errc::unknown_function   the worker has no such function, cannot load the library that
     * holds it, is another program (start_method::program) and the function lies in this
     * executable, or knows another one by its name; not_started
     *   - errc::spawn_failed       no worker could be started; not_started, or may_have_run if a
     * worker had died in the task before (task_options::retries)
     *   - errc::handshake_failed   what was started is no worker of this build; as spawn_failed
     *   - errc::initializer_failed one of executor_options::initializers failed in each worker that
     * was started; as spawn_failed
     *   - errc::executor_broken    as the three before, for all submits that follow; not_started
     *   - errc::executor_shutdown  the executor was stopped or is shutting down; not_started,
     * may_have_run or ran
     *   - errc::queue_full         executor_options::max_queued tasks wait already; not_started
     *   - errc::nesting_too_deep   the executor was made in a task that lies as deep in others as
     * COPROC_MAX_DEPTH allows; not_started
     *   - errc::forked             this process is a fork of the executor's; not_started, or
     * may_have_run if the task was submitted before the fork
     * @par Thread safety
     * Any thread.
     *
     * @param function  What coproc::submittable lists: a free or a member function, a captureless
     *                  lambda, a function object that is empty or has a codec, fn, bind_front, ...
     * @param args      What it is called with.
     */
    template <class F, class... Args>
    requires submittable<F, Args...> job<task_result_t<F, Args...>> submit(F&& function,
                                                                           Args&&... args) {
        return submit(task_options(), std::forward<F>(function), std::forward<Args>(args)...);
    }

    /// As above, with options for this task.
    template <class F, class... Args>
    requires submittable<F, Args...> job<task_result_t<F, Args...>>
    submit(task_options options, F&& function, Args&&... args) {
        using task = detail::call_of<F, Args...>;
        const detail::target target = task::target_of(function);
        detail::submission next(*impl_);
        try {
            task::encode(next.arguments(), std::forward<F>(function), std::forward<Args>(args)...);
        } catch (const std::bad_alloc&) {
            throw;
        } catch (...) {
            return job<task_result_t<F, Args...>>(detail::job_handle(next.refuse(options, target)));
        }
        return job<task_result_t<F, Args...>>(detail::job_handle(next.commit(options, target)));
    }

    /**
     * @brief Calls a function with each element of a range, in worker processes; several ranges are
     * zipped, and the shortest ends them. Include <coproc/map.hpp>.
     *
     * Returns a coproc::stream of the results, and submits nothing itself: reading the stream does.
     * No more than map_options::in_flight tasks are held at a time, so the range may be endless.
     *
     * @par Object lifetimes
     * Ranges are held by std::views::all: lvalues must outlive the stream, rvalues are moved into
     * it. They are advanced only inside stream::async_next, async_collect and their kin, where the
     * reader runs. The function is copied.
     * @par Errors
     * Throws std::bad_alloc, and std::invalid_argument for a wrong field of map_options. Everything
     * else comes through the stream.
     * @par Thread safety
     * Any thread.
     *
     * @param function  As for submit, with one element of each range as arguments.
     * @param ranges    At least one std::ranges::input_range.
     */
    template <class F, class... Ranges>
    typename detail::mapping<F, Ranges...>::type map(F&& function, Ranges&&... ranges) {
        return detail::mapping<F, Ranges...>::start(impl_, map_options(), std::forward<F>(function),
                                                    std::forward<Ranges>(ranges)...);
    }

    /// As above, with options.
    template <class F, class... Ranges>
    typename detail::mapping<F, Ranges...>::type map(map_options options, F&& function,
                                                     Ranges&&... ranges) {
        return detail::mapping<F, Ranges...>::start(impl_, options, std::forward<F>(function),
                                                    std::forward<Ranges>(ranges)...);
    }

    // clang-format off
    template <class F, class... Ranges, class Why = typename detail::mapping<F, Ranges...>::refused> void map(F&&, Ranges&&..., ...) = delete; // map needs input ranges, and a function that can be submitted with their elements: submit(f, *begin(range)) says what is wrong
    template <class F, class... Ranges, class Why = typename detail::mapping<F, Ranges...>::refused> void map(map_options, F&&, Ranges&&..., ...) = delete; // map needs input ranges, and a function that can be submitted with their elements: submit(f, *begin(range)) says what is wrong
    // clang-format on

    /**
     * @brief Starts workers before there are tasks for them.
     *
     * Completes when so many workers are ready, or max_workers if that is less; they then stay as
     * if tasks had started them (executor_options::idle_timeout).
     *
     * @par Completion signature `void(coproc::result<void>)`
     * @par Executor
     * The handler runs on its associated executor, else on get_executor(); never from inside this
     * call.
     * @par Per-operation cancellation
     * All types: it completes at once with errc::cancelled. The workers are started all the same.
     * @par Errors
     * Through the result, all of them not_started:
     *   - errc::spawn_failed, errc::handshake_failed, errc::initializer_failed
     * executor_options::max_failed_starts workers in a row could not be started, or their
     * initializers failed
     *   - errc::worker_terminated, errc::out_of_memory  the same, the last of them before it had
     * begun its first task
     *   - errc::executor_broken    that had happened before
     *   - errc::executor_shutdown  the executor was stopped or is shutting down
     *   - errc::cancelled          by its cancellation slot
     *   - errc::nesting_too_deep   as for submit
     *   - errc::forked             this process is a fork of the executor's
     */
    template <asio::completion_token_for<void(result<void>)> Token = asio::deferred_t>
    auto async_start(std::size_t workers, Token&& token = Token()) {
        return asio::async_initiate<Token, void(result<void>)>(
            detail::initiate_start{impl_, workers}, token);
    }

    /**
     * @brief Changes executor_options::max_workers.
     *
     * Waits for nothing. More: workers are started as tasks need them, also while others run.
     * Fewer: those with the highest this_worker::slot() end the task that they have begun and exit;
     * what they had not begun goes to others. No task is lost, and none is killed.
     *
     * Throws std::invalid_argument for what executor_options refuses, and std::bad_alloc. Any
     * thread.
     */
    void resize(std::size_t max_workers) { detail::resize(*impl_, max_workers); }

    /// Fails all jobs that are not done with errc::executor_shutdown, kills the workers, and lets
    /// run() return. Does not wait. Afterwards submit fails. Any thread.
    void stop() noexcept { detail::stop(*impl_); }

    /**
     * @brief Ends the executor in good order; afterwards no worker is left.
     *
     * From now on submit fails with errc::executor_shutdown. A second call joins the first, and may
     * only make it stricter.
     *
     * @par Completion signature `void(coproc::shutdown_report)`
     * @par Executor
     * The handler runs on its associated executor, else on get_executor(); never from inside this
     * call.
     * @par Per-operation cancellation
     * Not supported: use a time-out, call again with a stricter mode, or stop().
     */
    template <asio::completion_token_for<void(shutdown_report)> Token = asio::deferred_t>
    auto async_shutdown(shutdown_options options = {}, Token&& token = Token()) {
        detail::check_options(options);
        return asio::async_initiate<Token, void(shutdown_report)>(
            detail::initiate_shutdown{impl_, options}, token);
    }

    /// Blocking async_shutdown, for own_thread executors; for others, and on the own thread, throws
    /// std::logic_error.
    shutdown_report shutdown(shutdown_options options = {}) {
        return detail::shutdown_and_wait(*impl_, options);
    }

    /// What it is doing. Any thread.
    executor_stats stats() const { return detail::stats_of(*impl_); }

private:
    friend struct detail::executor_access;
    template <class T>
    friend class shared_buffer;

    explicit executor() noexcept = default; // detail::executor_access fills it

    void end() noexcept {
        if (impl_) {
            detail::end(*impl_);
        }
    }

    std::shared_ptr<detail::executor_impl> impl_;
};

} // namespace coproc
