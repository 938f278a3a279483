#include "pool/memory_watch.hpp"

#include <algorithm>

namespace coproc::pool {

std::uint64_t memory_watch::limit() const {
    if (!reference_ || limits_.max_growth > no_memory_limit - *reference_) {
        return limits_.absolute;
    }
    return std::min(limits_.absolute, *reference_ + limits_.max_growth);
}

memory_watch::advice memory_watch::measured(std::uint64_t bytes, time_point now) {
    next_ = after(now, limits_.period);
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
