#pragma once

#include "pool/task.hpp"

#include <algorithm>

// When a replacement for a worker that was of no use may start, and when to give up. A worker is of
// no use if it dies before it is ready, or if it was given tasks and dies before it has begun one:
// such tasks go to the next worker, and so would kill one after the other for ever. A worker that
// has begun a task and then dies, of it or otherwise, does not count: it is replaced at once.
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

    void ready() { ever_ready_ = true; }

    /// A worker has begun a task.
    void worked() { reset(); }

    /// `others`: whether tasks have other workers to go to, so that nothing waits for this one
    /// alone.
    verdict failed(time_point now, bool others) {
        ++failures_;
        if (failures_ >= limit_ && !others) {
            reset();
            return ever_ready_ ? verdict::fail_tasks : verdict::broken;
        }
        next_start_ = after(now, delay());
        return verdict::retry;
    }

    /// A worker that was ready has ended before it had a task to show what it is worth.
    void died_unused(time_point now) {
        ++failures_;
        next_start_ = after(now, delay());
    }

    /// As many in a row have failed as may.
    bool exhausted() const { return failures_ >= limit_; }

    bool may_start(time_point now) const { return now >= next_start_; }
    time_point next_start() const { return next_start_; }

private:
    // None, 10, 20, 40 ms ... 41 s: what is short for a moment (processes, memory, descriptors)
    // gets that moment, and what fails for ever costs next to nothing while others do the work.
    duration delay() const {
        if (failures_ <= 1) {
            return duration::zero();
        }
        const unsigned doublings = std::min(failures_ - 2, 12u);
        return std::chrono::milliseconds(10) * (1u << doublings);
    }

    void reset() {
        failures_ = 0;
        next_start_ = time_point::min();
    }

    unsigned limit_;
    unsigned failures_ = 0;
    bool ever_ready_ = false;
    time_point next_start_ = time_point::min();
};

} // namespace coproc::pool
