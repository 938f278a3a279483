#include "pool/memory_watch.hpp"

#include <algorithm>
#include <utility>

namespace coproc::pool {

std::uint64_t memory_watch::limit() const {
    if (!reference_ || limits_.max_growth > no_memory_limit - *reference_) {
        return limits_.absolute;
    }
    return std::min(limits_.absolute, *reference_ + limits_.max_growth);
}

// Each is twice as late as the one before, up to the period; but if it would have too much before
// that, should it go on as it does, in the middle of that time.
duration memory_watch::until_next_look(std::uint64_t bytes, time_point now) {
    if (!reference_) {
        last_look_ = now;
        return interval_;
    }
    const duration since = now - std::exchange(last_look_, now);
    const duration wait = interval_;
    interval_ = wait > limits_.period / 2 ? limits_.period : 2 * wait;
    const std::uint64_t most = std::min(limit(), limits_.hard);
    if (bytes <= last_ || bytes >= most || most == no_memory_limit) {
        return wait;
    }
    const double half = static_cast<double>(most - bytes) / static_cast<double>(bytes - last_) / 2;
    const double soon = half * static_cast<double>(since.count());
    if (soon < static_cast<double>(wait.count())) {
        const duration shortest = limits_.period / most_looks;
        interval_ = std::max(duration(static_cast<duration::rep>(soon)), shortest);
        return interval_;
    }
    return wait;
}

memory_watch::advice memory_watch::measured(std::uint64_t bytes, time_point now) {
    next_ = after(now, until_next_look(bytes, now));
    if (bytes > limits_.hard) {
        suspect_ = bytes;
        return advice::kill;
    }
    if (!functions_.has_recent()) {
        return advice::nothing; // in its first task, or in one that goes on: nothing to compare
    }
    if (reference_) {
        functions_.share(static_cast<std::int64_t>(bytes - last_));
    }
    last_ = bytes;
    if (state_ == state::fresh || (state_ == state::watching && bytes > limit())) {
        state_ = state::cleaning;
        suspect_ = bytes;
        return advice::clean_up;
    }
    return advice::nothing;
}

memory_watch::advice memory_watch::cleaned(std::uint64_t bytes) {
    if (state_ != state::cleaning) {
        return advice::nothing;
    }
    after_ = bytes != 0 ? bytes : last_;
    if (!reference_) {
        reference_ = after_;
        functions_ = {}; // what the first task makes, the next ones use
    }
    if (after_ > limit()) {
        state_ = state::leaking;
        return advice::retire;
    }
    state_ = state::watching;
    last_ = after_; // what it gave back was no task's doing
    return advice::nothing;
}

void memory_watch::kept() {
    if (state_ == state::leaking) {
        state_ = state::watching;
    }
}

} // namespace coproc::pool
