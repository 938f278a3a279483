#include "stream/mailbox.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace coproc::streams {

void mailbox::remove(reporter& r) {
    assert(reporters_ > 0);
    --reporters_;
    drop_waiting(r);
}

void mailbox::begin_run(reporter& r) {
    drop_waiting(r);
    r.settled = 0;
}

bool mailbox::arrive(reporter& r, wire::payload_buffer bytes, std::uint32_t skipped) {
    if (closed_) {
        reported_ += skipped;
        dropped_ += skipped;
        lose(r);
        return true;
    }
    if (waits_ && values_.size() >= capacity_) {
        if (r.waiting) { // it should have waited, and does not
            drop_waiting(r);
        }
        queue_.push_back(&r);
        r.waiting = std::move(bytes);
        return false;
    }
    values_.push_back({reported_ + skipped, std::move(bytes)});
    reported_ += std::uint64_t{1} + skipped;
    dropped_ += skipped;
    ++r.settled;
    if (values_.size() > capacity_) {
        values_.pop_front();
        ++dropped_;
    }
    return true;
}

void mailbox::lose(reporter& r) {
    ++reported_;
    ++dropped_;
    ++r.settled;
}

std::optional<letter> mailbox::take() {
    if (values_.empty()) {
        return std::nullopt;
    }
    letter given{values_.front().index, std::move(values_.front().bytes), nullptr};
    values_.pop_front();
    if (!queue_.empty()) {
        reporter& next = *queue_.front();
        values_.push_back({reported_, std::move(*next.waiting)});
        ++reported_;
        queue_.pop_front();
        next.waiting.reset();
        ++next.settled;
        given.settled = &next;
    }
    return given;
}

void mailbox::close() {
    closed_ = true;
    dropped_ += values_.size();
    values_.clear();
    for (reporter* const r : queue_) {
        r->waiting.reset();
        ++r->settled;
        ++dropped_;
    }
    queue_.clear();
}

void mailbox::drop_waiting(reporter& r) {
    if (r.waiting) {
        queue_.erase(std::find(queue_.begin(), queue_.end(), &r));
        r.waiting.reset();
        lose(r);
    }
}

} // namespace coproc::streams
