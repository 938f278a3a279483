#include "coproc/detail/group_wait.hpp"

#include "driver/deliver.hpp"
#include "driver/executor_impl.hpp"
#include "driver/own_loop.hpp"
#include "driver/posted_waiter.hpp"
#include "stream/wait_state.hpp"

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/system_executor.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>

// A wait for several jobs: what streams::wait_state decides, done. Executors' mutexes are taken
// inside ours and never the other way round; handlers are called without.
namespace coproc::detail {
namespace {

/// Without a home: the system's.
const asio::any_io_executor& loop_of(const std::shared_ptr<executor_impl>& home) noexcept {
    static const asio::any_io_executor nowhere = asio::system_executor();
    return home == nullptr ? nowhere : home->io_executor();
}

streams::job_outcome outcome_of(const job_core& job) noexcept {
    return job.has_value()                ? streams::job_outcome::value
           : job.why() == errc::cancelled ? streams::job_outcome::cancelled
                                          : streams::job_outcome::failed;
}

} // namespace

/// One wait, by wait() or by block().
class group_wait final : public std::enable_shared_from_this<group_wait> {
public:
    group_wait(const std::vector<job_ptr>& jobs, wait_condition);
    ~group_wait() {
        if (pending_ != nullptr) {
            pending_->abandon();
        }
    }

    void wait(waiter&, duration timeout);
    void stop_waiting(const waiter*) noexcept;
    bool block(duration timeout);
    bool met() const noexcept {
        const std::lock_guard lock(mutex_);
        return state_.met();
    }

private:
    /// Hears that a job is done.
    struct watch final : waiter {
        job_ptr job;
        bool at_home = true;
        bool told = false;                ///< it is done, and was counted
        std::shared_ptr<group_wait> keep; ///< while it listens

        void complete(job_ptr) override {
            const std::shared_ptr<group_wait> kept = std::move(keep);
            kept->on_done(*this, false);
        }
        void abandon() noexcept override {
            const std::shared_ptr<group_wait> kept = std::move(keep);
            kept->on_done(*this, true);
        }
        bool is_internal() const noexcept override { return true; }
    };

    const asio::any_io_executor& io_executor() const noexcept { return loop_of(home_); }
    bool look();
    void listen();
    void listen_no_more() noexcept;
    void on_done(watch&, bool loop_is_gone);
    void on_time();
    waiter* finish() noexcept;
    void complete_from_loop(waiter& w) {
        if (home_ != nullptr) {
            home_->complete_soon(w);
        } else {
            asio::post(io_executor(), posted_waiter(w));
        }
    }

    const std::shared_ptr<executor_impl> home_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    streams::wait_state state_;
    std::deque<watch> watches_;
    waiter* pending_ = nullptr;
    std::optional<asio::steady_timer> timer_;
    std::optional<asio::executor_work_guard<asio::any_io_executor>> work_; // jobs of other loops
};

group_wait::group_wait(const std::vector<job_ptr>& jobs, wait_condition condition)
    : home_(jobs.empty() ? nullptr : (*jobs.front()).owner()), state_(condition, jobs.size()) {
    for (const job_ptr& job : jobs) {
        watch& w = watches_.emplace_back();
        w.job = job;
        w.at_home = (*job).owner() == home_ || io_executor_of(*job) == io_executor();
    }
}

/// Counts what is done already. True: the wait is over.
bool group_wait::look() {
    for (watch& w : watches_) {
        if ((*w.job).done()) {
            w.told = true;
            static_cast<void>(state_.done(outcome_of(*w.job)));
        }
    }
    return state_.over();
}

// Jobs that became done since the look are heard of from their loops.
void group_wait::listen() {
    for (watch& w : watches_) {
        if (!w.told) {
            w.keep = shared_from_this();
            add_waiter(*w.job, w);
        }
    }
}

// A wait that is over leaves nothing in jobs that go on: they may be waited for again and again.
void group_wait::listen_no_more() noexcept {
    for (watch& w : watches_) {
        if (!w.told && (*w.job).owner()->remove_waiter(*w.job, w)) {
            w.keep.reset();
        }
    }
}

void group_wait::wait(waiter& w, duration timeout) {
    const std::lock_guard lock(mutex_);
    if (look() || timeout <= duration::zero()) {
        static_cast<void>(state_.given_up());
        complete_from_loop(w);
        return;
    }
    pending_ = &w;
    if (std::any_of(watches_.begin(), watches_.end(),
                    [](const watch& each) { return !each.told && !each.at_home; })) {
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
    listen();
}

void group_wait::stop_waiting(const waiter* given_up) noexcept {
    const std::lock_guard lock(mutex_);
    if (given_up != nullptr && pending_ == given_up && state_.given_up()) {
        complete_from_loop(*finish());
    }
}

bool group_wait::block(duration timeout) {
    std::unique_lock lock(mutex_);
    if (look() || timeout <= duration::zero()) {
        return state_.met();
    }
    for (const watch& w : watches_) {
        if (!w.told && runs_on_this_thread(io_executor_of(*w.job))) {
            detail::would_deadlock(*w.job).raise();
        }
    }
    listen();
    const auto over = [this] { return state_.over(); };
    const auto end = pool::after(std::chrono::steady_clock::now(), timeout);
    if (end == pool::never) {
        changed_.wait(lock, over);
    } else {
        changed_.wait_until(lock, end, over);
    }
    static_cast<void>(state_.given_up());
    listen_no_more();
    return state_.met();
}

// In a completion handler of the job's loop, or when that loop ends.
void group_wait::on_done(watch& w, bool loop_is_gone) {
    waiter* waiting = nullptr;
    {
        const std::lock_guard lock(mutex_);
        w.told = true;
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
        deliver(*waiting, job_ptr());
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
    deliver(*waiting, job_ptr());
}

// A watch that is about to be told holds this object, and the loop that the timer lives on may be
// gone by then.
waiter* group_wait::finish() noexcept {
    listen_no_more();
    work_.reset();
    timer_.reset();
    return std::exchange(pending_, nullptr);
}

// ---- what the public headers call

const asio::any_io_executor& io_executor_of(const std::vector<job_ptr>& jobs) noexcept {
    return loop_of(jobs.empty() ? nullptr : (*jobs.front()).owner());
}

group_wait_ptr make_group_wait(const std::vector<job_ptr>& jobs, wait_condition condition) {
    return std::make_shared<group_wait>(jobs, condition);
}

void wait_for_group(group_wait& group, waiter& w, duration timeout) { group.wait(w, timeout); }

void stop_waiting(group_wait& group, const waiter* w) noexcept { group.stop_waiting(w); }

bool is_met(const group_wait& group) noexcept { return group.met(); }

bool block_for_group(const std::vector<job_ptr>& jobs, wait_condition condition, duration timeout) {
    return make_group_wait(jobs, condition)->block(timeout);
}

void refuse_taken_job(std::size_t place) {
    throw std::invalid_argument("coproc: jobs[" + std::to_string(place) +
                                "] has been taken already");
}

} // namespace coproc::detail
