#pragma once

#include "pool/task.hpp"

#include <algorithm>

// When a replacement for a worker that was of no use may start, and when to give up. A worker is of
// no use if it dies before it is ready, or if it was given tasks and dies before it has begun one:
// such tasks go to the next worker, and so would kill one after the other for ever, unless one of
// them is found to be the cause and ends. A worker that has begun a task and then dies, of it or
// otherwise, does not count: it is replaced at once.
namespace coproc::pool {

class restart_policy {
public:
    /// What a failed start means.
    enum class verdict {
        retry,      ///< try again at `next_start()`
        fail_tasks, ///< what waits for a worker fails with the cause; the next submit tries afresh
        broken,     ///< no worker has ever been ready: none will be
    };

    explicit restart_policy(unsigned max_failed_starts) : limit_(max_failed_starts) {}

    void ready() {
        ever_ready_ = true;
        in_doubt_ = false;
    }

    /// The last start has failed: one is to try whether it works now, before others do.
    bool in_doubt() const { return in_doubt_; }

    /// A worker has begun a task.
    void worked() { reset(); }

    /// `started`: when that worker was asked for. What ends many at a time says no more of those
    /// that come after than one would, so only one that was asked for after the last end counts.
    /// `others`: whether tasks have other workers to go to, so that nothing waits for this one
    /// alone.
    verdict failed(time_point now, time_point started, bool others) {
        if (started < last_end_) {
            return verdict::retry;
        }
        ++failures_;
        in_doubt_ = true;
        if (failures_ >= limit_ && !others) {
            reset();
            last_end_ = now;
            return ever_ready_ ? verdict::fail_tasks : verdict::broken;
        }
        wait_longer(now);
        return verdict::retry;
    }

    /// A worker that was ready has ended before it had a task to show what it is worth. No task
    /// fails for that, however often it happens.
    void died_unused(time_point now, time_point started) {
        if (started >= last_end_) {
            wait_longer(now);
        }
    }

    /// A task is taken for the cause when it was the next one of so many workers that died: before
    /// it costs others their end, by `max_failed_starts`.
    unsigned most_by_one_task() const { return std::max(2u, (limit_ + 1) / 2); }

    /// As many in a row have failed as may.
    bool exhausted() const { return failures_ >= limit_; }

    bool may_start(time_point now) const { return now >= next_start_; }
    time_point next_start() const { return next_start_; }

private:
    // None, 10, 20, 40 ms ... 41 s: what is short for a moment (processes, memory, descriptors)
    // gets that moment, and what fails for ever costs next to nothing while others do the work.
    void wait_longer(time_point now) {
        last_end_ = now;
        next_start_ = now;
        if (++vain_ > 1) {
            const unsigned doublings = std::min(vain_ - 2, 12u);
            next_start_ = after(now, std::chrono::milliseconds(10) * (1u << doublings));
        }
    }

    void reset() {
        failures_ = 0;
        vain_ = 0;
        next_start_ = time_point::min();
    }

    unsigned limit_;
    unsigned failures_ = 0; ///< in a row
    unsigned vain_ = 0;     ///< these, and those that died unused
    bool ever_ready_ = false;
    bool in_doubt_ = false;
    time_point last_end_ = time_point::min(); ///< of one that was of no use
    time_point next_start_ = time_point::min();
};

} // namespace coproc::pool
