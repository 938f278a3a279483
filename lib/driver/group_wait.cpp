#include "coproc/detail/group_wait.hpp"

#include "driver/executor_impl.hpp"
#include "driver/own_loop.hpp"
#include "driver/pending_reader.hpp"
#include "stream/wait_state.hpp"

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

    bool look();
    void listen();
    void listen_no_more() noexcept;
    void on_done(watch&, bool loop_is_gone);
    void on_time();
    void end() noexcept;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    streams::wait_state state_;
    std::deque<watch> watches_;
    pending_reader reader_;
    std::optional<asio::steady_timer> timer_;
};

group_wait::group_wait(const std::vector<job_ptr>& jobs, wait_condition condition)
    : state_(condition, jobs.size()), reader_(jobs.empty() ? nullptr : (*jobs.front()).owner()) {
    for (const job_ptr& job : jobs) {
        watch& w = watches_.emplace_back();
        w.job = job;
        w.at_home = reader_.is_at_home(*job);
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
        reader_.complete_soon(w);
        return;
    }
    reader_.wait(w);
    reader_.keep_at_work(std::any_of(watches_.begin(), watches_.end(), [](const watch& each) {
        return !each.told && !each.at_home;
    }));
    if (timeout != no_limit) {
        timer_.emplace(reader_.io_executor());
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
    if (reader_.stop_waiting(given_up)) {
        static_cast<void>(state_.given_up());
        end();
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
        const bool waited = reader_.waits();
        waiting = reader_.told(w.at_home, loop_is_gone, ended);
        if (waited && !reader_.waits()) {
            end();
        }
    }
    pending_reader::end(waiting, loop_is_gone);
}

void group_wait::on_time() {
    waiter* waiting = nullptr;
    {
        const std::lock_guard lock(mutex_);
        if (!state_.given_up()) {
            return;
        }
        waiting = reader_.take();
        end();
    }
    pending_reader::end(waiting, false);
}

// A watch that is about to be told holds this object, and the loop that the timer lives on may be
// gone by then.
void group_wait::end() noexcept {
    listen_no_more();
    timer_.reset();
}

// ---- what the public headers call

const asio::any_io_executor& io_executor_of(const std::vector<job_ptr>& jobs) noexcept {
    static const asio::any_io_executor nowhere = asio::system_executor();
    return jobs.empty() ? nowhere : io_executor_of(*jobs.front());
}

void check_condition(wait_condition condition) {
    if (condition > wait_condition::all_completed) {
        throw std::invalid_argument("coproc: wait_condition must be one of first_completed, "
                                    "first_exception and all_completed");
    }
}

group_wait_ptr make_group_wait(const std::vector<job_ptr>& jobs, wait_condition condition) {
    return std::make_shared<group_wait>(jobs, condition);
}

void wait_for_group(group_wait& group, waiter& w, duration timeout) { group.wait(w, timeout); }

void stop_waiting(group_wait& group, const waiter* w) noexcept { group.stop_waiting(w); }

bool is_met(const group_wait& group) noexcept { return group.met(); }

bool block_for_group(const std::vector<job_ptr>& jobs, wait_condition condition, duration timeout) {
    check_condition(condition);
    return make_group_wait(jobs, condition)->block(timeout);
}

void refuse_taken_job(std::size_t place) {
    throw std::invalid_argument("coproc: jobs[" + std::to_string(place) +
                                "] has been taken already");
}

} // namespace coproc::detail
