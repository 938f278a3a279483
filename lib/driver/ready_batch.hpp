#pragma once

#include "driver/job_core.hpp"

#include <utility>
#include <vector>

namespace coproc::detail {

/// Jobs that are done, with those who wait for them: handlers to be called, first in, first out.
/// What is left when it is destroyed is abandoned.
class ready_batch {
public:
    ready_batch() = default;
    ready_batch(ready_batch&& other) noexcept
        : entries_(std::move(other.entries_)), next_(std::exchange(other.next_, 0)) {
        other.entries_.clear();
    }
    ready_batch& operator=(ready_batch&& other) noexcept {
        ready_batch taken(std::move(other));
        std::swap(entries_, taken.entries_);
        std::swap(next_, taken.next_);
        return *this;
    }
    ~ready_batch() {
        while (!empty()) {
            if (const entry left = take(); left.waiting != nullptr) {
                left.waiting->abandon();
            }
        }
    }

    struct entry {
        waiter* waiting; ///< null: the job is only to be let go of
        job_ptr job;
    };

    bool empty() const noexcept { return next_ == entries_.size(); }
    void add(waiter* waiting, job_ptr job) { entries_.push_back({waiting, std::move(job)}); }
    entry take() noexcept { return std::move(entries_[next_++]); }
    /// Forgets what was taken and keeps the memory.
    void reset() noexcept {
        entries_.clear();
        next_ = 0;
    }

private:
    std::vector<entry> entries_;
    std::size_t next_ = 0;
};

} // namespace coproc::detail
