#pragma once

#include <coproc/detail/deleted.hpp>
#include <coproc/detail/job_core.hpp>
#include <coproc/detail/take_result.hpp>
#include <coproc/detail/waiter_of.hpp>
#include <coproc/result.hpp>

#include <asio/async_result.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/deferred.hpp>

#include <cstdint>
#include <type_traits>
#include <utility>

namespace coproc {
namespace detail {

struct job_access;

/// Asio's bits, of which the strongest counts.
inline withdrawal strongest(asio::cancellation_type type) noexcept {
    if ((type & asio::cancellation_type::terminal) != asio::cancellation_type::none) {
        return withdrawal::terminal;
    }
    return (type & asio::cancellation_type::partial) != asio::cancellation_type::none
               ? withdrawal::partial
               : withdrawal::total;
}

/// A job that nobody else will take: withdrawn when it is dropped.
class job_handle {
public:
    explicit job_handle(job_ptr core) noexcept : core_(std::move(core)) {}
    job_handle(job_handle&&) noexcept = default;
    job_handle& operator=(job_handle&& other) noexcept {
        if (this != &other) {
            drop();
            core_ = std::move(other.core_);
        }
        return *this;
    }
    ~job_handle() { drop(); }

    const job_ptr& shared() const noexcept { return core_; }
    job_core& core() const noexcept { return *core_; }
    job_ptr take() noexcept { return std::move(core_); }

private:
    void drop() noexcept {
        if (core_) {
            withdraw(*core_, withdrawal::total);
            core_ = job_ptr();
        }
    }

    job_ptr core_;
};

template <class R>
struct deliver_result {
    template <class Handler>
    void operator()(Handler&& handler, job_ptr job) {
        result<R> taken = take_result<R>(*job);
        job = job_ptr();
        std::forward<Handler>(handler)(std::move(taken));
    }
};

struct deliver_nothing {
    template <class Handler>
    void operator()(Handler&& handler, job_ptr job) {
        job = job_ptr();
        std::forward<Handler>(handler)();
    }
};

/// Starts `co_await std::move(job)` and its kin.
template <class R>
struct initiate_take {
    using executor_type = asio::any_io_executor;
    executor_type get_executor() const noexcept { return io_executor_of(job.core()); }

    template <class Handler>
    void operator()(Handler&& handler) && {
        const job_ptr core = job.shared();
        auto& w = waiter_of<std::decay_t<Handler>, deliver_result<R>>::make(
            std::decay_t<Handler>(std::forward<Handler>(handler)), io_executor_of(*core));
        begin_or_abandon(w, [&] {
            w.assign_slot(
                [core](asio::cancellation_type type) { withdraw(*core, strongest(type)); });
            add_waiter(*core, w);
        });
        static_cast<void>(job.take()); // it is withdrawn no more when it is dropped
    }

    job_handle job;
};

/// Starts job::async_wait.
struct initiate_wait {
    using executor_type = asio::any_io_executor;
    executor_type get_executor() const noexcept { return io_executor_of(*job); }

    template <class Handler>
    void operator()(Handler&& handler) const {
        auto& w = waiter_of<std::decay_t<Handler>, deliver_nothing>::make(
            std::decay_t<Handler>(std::forward<Handler>(handler)), io_executor_of(*job));
        w.ticket = new_ticket();
        begin_or_abandon(w, [&] {
            w.assign_slot([core = job, ticket = w.ticket](asio::cancellation_type) {
                stop_waiting(*core, ticket);
            });
            add_waiter(*job, w);
        });
    }

    job_ptr job;
};

} // namespace detail

/**
 * @brief A task that was submitted, and the claim to its result.
 *
 * The task is queued already when submit returns the job. Take the result once: `co_await
 * executor.submit(f, x)` or, later, `co_await std::move(j)`; or from another thread with `get()`. A
 * job that is neither taken nor detached withdraws its task when it is destroyed, as
 * `cancel(asio::cancellation_type::total)` does: what has not started never runs, what runs is left
 * to finish unseen.
 *
 * A job may outlive its executor: its result is then there, errc::executor_shutdown if there was
 * none before. It must not be waited for when its loop is gone.
 *
 * @par Thread safety
 * cancel, ready, state and id: any thread, also while another one is in get or in async_wait's
 * initiation. Everything else: one thread at a time; after operator(), detach and a move the job is
 * empty, and may only be destroyed or assigned to.
 */
template <class R>
class [[nodiscard("co_await it, keep it, or detach() it")]] job {
public:
    using value_type = R;
    using executor_type = asio::any_io_executor;

    explicit job(detail::job_handle handle) noexcept : handle_(std::move(handle)) {}
    job(job &&) noexcept = default;
    job& operator=(job&&) noexcept = default;
    ~job() = default;

    /// The I/O executor that completes the job: that of the executor it was submitted to.
    executor_type get_executor() const noexcept { return detail::io_executor_of(handle_.core()); }

    /**
     * @brief Takes the result, when it is there.
     *
     * @par Completion signature `void(coproc::result<R>)`
     * @par Executor
     * The handler runs on its associated executor, else on get_executor(); never from inside this
     * call. The result is decoded there.
     * @par Per-operation cancellation
     * Cancels the task, as cancel() does with the same type.
     * @par Errors
     * Through the result, those of executor::submit.
     */
    template <asio::completion_token_for<void(result<R>)> Token>
    auto operator()(Token&& token)&&->decltype(asio::async_initiate<Token, void(result<R>)>(
        std::declval<detail::initiate_take<R>>(), token)) {
        return asio::async_initiate<Token, void(result<R>)>(
            detail::initiate_take<R>{std::move(handle_)}, token);
    }

    /**
     * @brief Waits until the task is done, and takes nothing: any number of times, also at once.
     *
     * @par Completion signature `void()`
     * @par Executor
     * The handler runs on its associated executor, else on get_executor(); never from inside this
     * call.
     * @par Per-operation cancellation
     * All types: the wait completes early. The task is not touched; ask ready().
     */
    template <asio::completion_token_for<void()> Token = asio::deferred_t>
    auto async_wait(Token && token = Token()) {
        return asio::async_initiate<Token, void()>(detail::initiate_wait{handle_.shared()}, token);
    }

    /**
     * @brief Blocks this thread until the task is done, and takes the result.
     *
     * On a thread that runs the loop of the executor (an io_context, a thread_pool or a strand of
     * either), where nothing would ever complete the job, it withdraws the task and returns
     * errc::would_deadlock at once. For scripts on own_thread executors, and for other threads.
     */
    result<R> get()&& {
        detail::job_core& task = handle_.core(); // kept, so that others may cancel it meanwhile
        if (!detail::block_until_done(task)) {
            detail::withdraw(task, detail::withdrawal::total);
            return result<R>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<failure>,
                             detail::would_deadlock(task));
        }
        return detail::take_result<R>(task);
    }
    void get() & COPROC_DELETE("the result is taken out of the job: std::move(j).get()");

    /// Whether the result is there. Any thread.
    bool ready() const noexcept { return detail::is_done(handle_.core()); }

    /// Where the task is. A task in a worker's pipe counts as queued until the worker begins it.
    /// Any thread.
    job_state state() const noexcept { return detail::state_of(handle_.core()); }

    /// The executor's number for the task, never used twice; this_task::id() in the worker. Any
    /// thread.
    std::uint64_t id() const noexcept { return detail::id_of(handle_.core()); }

    /**
     * @brief Cancels the task; the result is then errc::cancelled, unless it is there already.
     *
     * - terminal: the answer is there at once. A task that runs is asked to stop; if its worker is
     * still in it after task_options::grace, the worker is killed.
     * - partial: a task that runs is asked to stop, and the result is what it then returns.
     * - total: a task that runs is left alone.
     *
     * With each of them a task that has not started never runs. Of several bits the strongest
     * counts. Any thread. No handler is called from inside.
     */
    void cancel(asio::cancellation_type type = asio::cancellation_type::terminal) noexcept {
        detail::withdraw(handle_.core(), detail::strongest(type));
    }

    /// Lets the task run whatever happens; nobody takes its result. If it fails, also if it has
    /// done so already, executor_options::observer is told (detached_failed).
    void detach()&& { detail::detach(handle_.take()); }

private:
    friend struct detail::job_access;

    detail::job_handle handle_;
};

namespace detail {

/// For what works with many jobs.
struct job_access {
    template <class R>
    static const job_ptr& shared(const job<R>& j) noexcept {
        return j.handle_.shared();
    }
    template <class R>
    static job_ptr take(job<R>&& j) noexcept {
        return j.handle_.take();
    }
};

} // namespace detail
} // namespace coproc
