#pragma once

#include "memory/arena.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace coproc::detail {

/// The arrays that a task refers to.
using borrowed_arrays = std::vector<memory::arena_array_ptr>;

/**
 * @brief The arrays that a worker may read: those of the tasks in its pipe.
 *
 * A task's caller may have its answer long before: the task was cancelled or timed out, and goes
 * on. So a task lends its arrays to the worker that it is given to, until the worker has answered
 * it or it is taken back; with the worker's end this object ends.
 */
class lent_arrays {
public:
    /// Sequence numbers go up.
    void lend(std::uint64_t sequence, std::shared_ptr<const borrowed_arrays> arrays) {
        tasks_.push_back({sequence, std::move(arrays)});
    }

    /// The worker has ended the task, or will not begin it: gives its arrays, null if it has none.
    [[nodiscard]] std::shared_ptr<const borrowed_arrays>
    give_back(std::uint64_t sequence) noexcept {
        std::shared_ptr<const borrowed_arrays> given;
        if (tasks_.empty()) {
            return given;
        }
        const auto found = std::lower_bound(
            tasks_.begin(), tasks_.end(), sequence,
            [](const task& each, std::uint64_t number) { return each.sequence < number; });
        if (found != tasks_.end() && found->sequence == sequence) {
            given = std::move(found->arrays);
            forget_first();
        }
        return given;
    }

    /// The worker has ended: calls `take` with the arrays of each task.
    template <class Take>
    void give_all_back(Take&& take) noexcept {
        for (task& each : std::exchange(tasks_, {})) {
            take(std::move(each.arrays));
        }
        given_back_ = 0;
    }

private:
    struct task {
        std::uint64_t sequence;
        std::shared_ptr<const borrowed_arrays> arrays; // null: given back
    };

    void forget_first() noexcept {
        while (given_back_ < tasks_.size() && tasks_[given_back_].arrays == nullptr) {
            ++given_back_;
        }
        if (2 * given_back_ >= tasks_.size()) {
            tasks_.erase(tasks_.begin(), tasks_.begin() + static_cast<std::ptrdiff_t>(given_back_));
            given_back_ = 0;
        }
    }

    std::vector<task> tasks_;
    std::size_t given_back_ = 0; // of the first ones
};

} // namespace coproc::detail
