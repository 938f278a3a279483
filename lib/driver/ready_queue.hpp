#pragma once

#include "driver/job_core.hpp"

#include <deque>
#include <utility>

namespace coproc::detail {

/// Jobs that are done, with those who wait for them: handlers to be called, first in, first out.
/// What is left when it is destroyed is abandoned.
class ready_queue {
public:
    ready_queue() = default;
    ready_queue(ready_queue&&) = default;
    ready_queue& operator=(ready_queue&&) = delete;
    ~ready_queue() {
        while (!empty()) {
            if (const entry left = take(); left.waiting != nullptr) {
                left.waiting->abandon();
            }
        }
    }

    struct entry {
        waiter* waiting = nullptr; ///< null: the job is only to be let go of
        job_ptr job = {};
    };

    bool empty() const noexcept { return entries_.empty(); }
    void add(waiter* waiting, job_ptr job) { entries_.push_back({waiting, std::move(job)}); }
    entry take() noexcept {
        entry first = std::move(entries_.front());
        entries_.pop_front();
        return first;
    }

private:
    std::deque<entry> entries_;
};

} // namespace coproc::detail
