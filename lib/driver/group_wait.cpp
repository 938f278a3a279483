#include "coproc/detail/group_wait.hpp"

#include "driver/executor_impl.hpp"
#include "driver/own_loop.hpp"
#include "driver/posted_waiter.hpp"
#include "stream/wait_state.hpp"

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/system_executor.hpp>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

// A wait for several jobs: what streams::wait_state decides, done. Executors' mutexes are taken
// inside ours and never the other way round; handlers are called without.
namespace coproc::detail {

class group_wait final : public std::enable_shared_from_this<group_wait> {
public:
    group_wait(wait_condition condition, std::size_t jobs) : state_(condition, jobs) {}
    ~group_wait() {
        if (pending_ != nullptr) {
            pending_->abandon();
        }
    }

    /// Listens to the jobs. Once, after construction.
    void listen(const std::vector<job_ptr>& jobs);
    void wait(waiter&, duration timeout);
    void stop_waiting(const waiter*) noexcept;
    bool block(duration timeout);
    bool met() const noexcept {
        const std::lock_guard lock(mutex_);
        return state_.met();
    }
    const asio::any_io_executor& io_executor() const noexcept {
        static const asio::any_io_executor nowhere = asio::system_executor();
        return home_ == nullptr ? nowhere : home_->io_executor();
    }

private:
    struct watch final : waiter {
        job_ptr job;
        bool at_home = true;
        std::shared_ptr<group_wait> keep; ///< while it waits

        void complete(job_ptr) override {
            const std::shared_ptr<group_wait> kept = std::move(keep);
            kept->on_done(*this, false);
        }
        void abandon() noexcept override {
            const std::shared_ptr<group_wait> kept = std::move(keep);
            kept->on_done(*this, true);
        }
    };

    void on_done(const watch&, bool loop_is_gone);
    void on_time();
    waiter* finish() noexcept;
    void complete_from_loop(waiter& w) {
        if (home_ != nullptr) {
            home_->complete_soon(w);
        } else {
            asio::post(io_executor(), posted_waiter(w));
        }
    }
    static streams::job_outcome outcome_of(const job_core& job) noexcept {
        return job.has_value()                ? streams::job_outcome::value
               : job.why() == errc::cancelled ? streams::job_outcome::cancelled
                                              : streams::job_outcome::failed;
    }

    std::shared_ptr<executor_impl> home_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    streams::wait_state state_;
    std::deque<watch> watches_;
    waiter* pending_ = nullptr;
    std::optional<asio::steady_timer> timer_;
    std::optional<asio::executor_work_guard<asio::any_io_executor>> work_; // jobs of other loops
    bool foreign_ = false;
};

void group_wait::listen(const std::vector<job_ptr>& jobs) {
    const std::lock_guard lock(mutex_);
    home_ = jobs.empty() ? nullptr : (*jobs.front()).owner();
    for (const job_ptr& job : jobs) {
        if ((*job).done()) {
            static_cast<void>(state_.done(outcome_of(*job)));
            continue;
        }
        watch& w = watches_.emplace_back();
        w.job = job;
        w.at_home = (*job).owner() == home_ || io_executor_of(*job) == io_executor();
        foreign_ = foreign_ || !w.at_home;
    }
    if (state_.over()) {
        return;
    }
    // Jobs that became done since the look above are heard of here.
    for (watch& w : watches_) {
        w.keep = shared_from_this();
        add_waiter(*w.job, w);
    }
}

void group_wait::wait(waiter& w, duration timeout) {
    const std::lock_guard lock(mutex_);
    if (timeout <= duration::zero()) {
        static_cast<void>(state_.given_up());
    }
    if (state_.over()) {
        complete_from_loop(w);
        return;
    }
    pending_ = &w;
    if (foreign_) {
        work_.emplace(io_executor());
    }
    if (timeout != no_limit) {
        timer_.emplace(io_executor());
        timer_->expires_at(pool::after(std::chrono::steady_clock::now(), timeout));
        timer_->async_wait([self = shared_from_this()](const asio::error_code& error) {
            if (!error) {
                self->on_time();
            }
        });
    }
}

void group_wait::stop_waiting(const waiter* given_up) noexcept {
    const std::lock_guard lock(mutex_);
    if (given_up != nullptr && pending_ == given_up && state_.given_up()) {
        complete_from_loop(*finish());
    }
}

bool group_wait::block(duration timeout) {
    std::unique_lock lock(mutex_);
    const auto over = [this] { return state_.over(); };
    if (over() || timeout <= duration::zero()) {
        return state_.met();
    }
    for (const watch& w : watches_) {
        // Also when it has become done meanwhile: that is told by its loop.
        if (runs_on_this_thread(io_executor_of(*w.job))) {
            detail::would_deadlock(*w.job).raise();
        }
    }
    const auto end = pool::after(std::chrono::steady_clock::now(), timeout);
    if (end == pool::never) {
        changed_.wait(lock, over);
    } else {
        changed_.wait_until(lock, end, over);
    }
    static_cast<void>(state_.given_up());
    return state_.met();
}

// In a completion handler of the job's loop, or when that loop ends.
void group_wait::on_done(const watch& w, bool loop_is_gone) {
    waiter* waiting = nullptr;
    {
        const std::lock_guard lock(mutex_);
        const bool ended = state_.done(outcome_of(*w.job));
        if (ended) {
            changed_.notify_all();
        }
        const bool nobody_calls = loop_is_gone && w.at_home;
        if (pending_ == nullptr || (!ended && !nobody_calls)) {
            return;
        }
        waiting = finish();
        if (!w.at_home) {
            complete_from_loop(*waiting);
            return;
        }
    }
    if (loop_is_gone) {
        waiting->abandon();
    } else {
        waiting->complete(job_ptr());
    }
}

void group_wait::on_time() {
    waiter* waiting = nullptr;
    {
        const std::lock_guard lock(mutex_);
        if (!state_.given_up()) {
            return;
        }
        waiting = finish();
    }
    waiting->complete(job_ptr());
}

// The watches that still wait hold this object until their jobs are done, and the loop that the
// timer lives on may be gone by then.
waiter* group_wait::finish() noexcept {
    work_.reset();
    timer_.reset();
    return std::exchange(pending_, nullptr);
}

// ---- what the public headers call

group_wait_ptr make_group_wait(const std::vector<job_ptr>& jobs, wait_condition condition) {
    auto made = std::make_shared<group_wait>(condition, jobs.size());
    made->listen(jobs);
    return made;
}

const asio::any_io_executor& io_executor_of(const group_wait& group) noexcept {
    return group.io_executor();
}

void wait_for_group(group_wait& group, waiter& w, duration timeout) { group.wait(w, timeout); }

void stop_waiting(group_wait& group, const waiter* w) noexcept { group.stop_waiting(w); }

bool is_met(const group_wait& group) noexcept { return group.met(); }

bool block_for_group(const std::vector<job_ptr>& jobs, wait_condition condition, duration timeout) {
    auto group = std::make_shared<group_wait>(condition, jobs.size());
    group->listen(jobs);
    return group->block(timeout);
}

} // namespace coproc::detail
