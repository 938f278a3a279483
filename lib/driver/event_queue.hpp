#pragma once

#include "coproc/event.hpp"
#include "driver/job_core.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

namespace coproc::detail {

/// Events on their way to the observer, first in, first out. One thread at a time tells them, the
/// teller; others may add to them meanwhile. Guarded by the executor's mutex, but for tell() and
/// forget(), which are the teller's.
class event_queue {
public:
    struct entry {
        event what;
        job_ptr job; ///< whose name the event has
    };
    using entries = std::vector<entry>;

    void add(event what, job_ptr job) {
        if (!closed()) {
            coming_.push_back({std::move(what), std::move(job)});
        }
    }

    /// Whether there is something to tell, and nobody who does.
    [[nodiscard]] bool waits() const noexcept {
        return !telling_ && !(coming_.empty() && told_.empty());
    }

    /// This thread is the teller, until end_telling().
    void begin_telling() noexcept {
        telling_ = true;
        if (told_.empty()) {
            std::swap(told_, coming_);
        }
    }

    /// Tells what was there at the begin. If the observer throws, the rest waits for the next
    /// teller.
    void tell(const std::function<void(const event&)>& observer) {
        while (next_ < told_.size() && !closed()) {
            observer(told_[next_++].what);
        }
        forget();
    }
    /// The same, where users' code is not called any more.
    void forget() noexcept {
        told_.clear();
        next_ = 0;
    }

    /// What is returned goes without the mutex, here and below.
    [[nodiscard]] entries end_telling() noexcept {
        telling_ = false;
        return closed() || next_ == told_.size() ? take_told() : entries();
    }

    /// Nothing is told any more, but for the call that is under way.
    [[nodiscard]] std::pair<entries, entries> close() noexcept {
        closed_.store(true, std::memory_order_relaxed);
        return {std::exchange(coming_, {}), telling_ ? entries() : take_told()};
    }

private:
    bool closed() const noexcept { return closed_.load(std::memory_order_relaxed); }
    entries take_told() noexcept {
        entries taken;
        if (!told_.empty()) { // else its memory stays
            taken.swap(told_);
            next_ = 0;
        }
        return taken;
    }

    entries coming_;
    entries told_;         // the teller's, or what one that was interrupted has left
    std::size_t next_ = 0; // of these
    bool telling_ = false;
    std::atomic<bool> closed_ = false; // set under the mutex; the teller looks without it
};

} // namespace coproc::detail
