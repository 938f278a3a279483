#pragma once

#include <coproc/detail/group_wait.hpp>
#include <coproc/detail/waiter_of.hpp>
#include <coproc/job.hpp>
#include <coproc/options.hpp>
#include <coproc/stream.hpp>
#include <coproc/wait_condition.hpp>

#include <asio/async_result.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/deferred.hpp>

#include <type_traits>
#include <utility>
#include <vector>

// Many jobs at a time. They may belong to different executors, on different loops.
namespace coproc {
namespace detail {

struct deliver_met {
    template <class Handler>
    void operator()(Handler&& handler, const job_ptr&) {
        const bool met = is_met(*group);
        group.reset();
        std::forward<Handler>(handler)(met);
    }

    group_wait_ptr group;
};

/// Starts async_wait. Nobody listens to the jobs before.
struct initiate_group_wait {
    using executor_type = asio::any_io_executor;
    executor_type get_executor() const noexcept { return io_executor_of(jobs); }

    template <class Handler>
    void operator()(Handler&& handler) const {
        const group_wait_ptr group = make_group_wait(jobs, condition);
        auto& w = waiter_of<std::decay_t<Handler>, deliver_met>::make(
            std::decay_t<Handler>(std::forward<Handler>(handler)), io_executor_of(jobs),
            deliver_met{group});
        begin_or_abandon(w, [&] {
            w.assign_slot(
                [group, self = &w](asio::cancellation_type) { stop_waiting(*group, self); });
            wait_for_group(*group, w, timeout);
        });
    }

    std::vector<job_ptr> jobs;
    wait_condition condition;
    duration timeout;
};

template <class R>
std::vector<job_ptr> shared(const std::vector<job<R>>& jobs) {
    std::vector<job_ptr> all;
    all.reserve(jobs.size());
    for (const job<R>& j : jobs) {
        if (!job_access::shared(j)) {
            refuse_taken_job(all.size());
        }
        all.push_back(job_access::shared(j));
    }
    return all;
}

} // namespace detail

/**
 * @brief Gives the results of jobs as they are completed; element::index is the job's place.
 *
 * Takes the jobs over: dropping the stream withdraws what has not started. The handlers of
 * stream::async_next and stream::async_collect run on the loop of the first job, if they have no
 * executor of their own; that loop must live as long as one of them waits.
 *
 * @par Errors
 * Throws std::invalid_argument, naming its place, if one of the jobs was awaited, detached or
 * moved from; the others are dropped.
 */
template <class R>
stream<R> as_completed(std::vector<job<R>> jobs) {
    detail::stream_ptr made =
        detail::make_stream(detail::shared(jobs)); // what can fail comes first
    for (job<R>& j : jobs) {
        static_cast<void>(detail::job_access::take(std::move(j))); // the stream withdraws it now
    }
    return stream<R>(std::move(made));
}

/**
 * @brief Waits for several jobs, and takes nothing: ask job::ready().
 *
 * @par Object lifetimes
 * Nothing of `jobs` is used after the return; they may be taken or dropped meanwhile.
 * @par Completion signature `void(bool)`
 * Whether the condition is met: false after the time-out and after cancellation.
 * @par Executor
 * The handler runs on its associated executor, else on the loop of the first job (without jobs: on
 * a thread of asio::system_executor); never from inside this call. The loop of the first job must
 * live as long as the wait.
 * @par Per-operation cancellation
 * All types: the wait completes early. The tasks are not touched.
 * @par Errors
 * Throws std::invalid_argument, from this call itself: naming its place, if one of the jobs has
 * been awaited, detached or moved from; or if the condition is none.
 *
 * @param timeout  From the initiation. no_limit: none. Zero or less: tells how it is now.
 */
template <class R, asio::completion_token_for<void(bool)> Token = asio::deferred_t>
auto async_wait(const std::vector<job<R>>& jobs, wait_condition condition, duration timeout,
                Token&& token = Token()) {
    detail::check_condition(condition);
    return asio::async_initiate<Token, void(bool)>(
        detail::initiate_group_wait{detail::shared(jobs), condition, timeout}, token);
}

/// As above, without a time-out.
template <class R, asio::completion_token_for<void(bool)> Token = asio::deferred_t>
auto async_wait(const std::vector<job<R>>& jobs, wait_condition condition,
                Token&& token = Token()) {
    return async_wait(jobs, condition, no_limit, std::forward<Token>(token));
}

/**
 * @brief Blocking async_wait, for scripts on own_thread executors and for other threads.
 *
 * Where it would wait for ever, on a thread that runs the loop of one of the jobs, it throws
 * coproc::failed, errc::would_deadlock.
 *
 * @par Errors
 * Those of async_wait.
 */
template <class R>
bool wait(const std::vector<job<R>>& jobs, wait_condition condition = wait_condition::all_completed,
          duration timeout = no_limit) {
    return detail::block_for_group(detail::shared(jobs), condition, timeout);
}

} // namespace coproc
