#pragma once

#include <memory>
#include <mutex>
#include <vector>

namespace coproc::detail {

class executor_impl;

/// The executors that live on a loop. It belongs to the loop and to all of them, since either may
/// go first, also at the same time on two threads: one that is being destroyed lets go of the loop
/// under this mutex.
class executor_list {
public:
    void add(const std::shared_ptr<executor_impl>&);
    /// It is being destroyed.
    void remove(executor_impl&) noexcept;
    /// The loop is: each is stopped.
    void loop_ends() noexcept;

private:
    struct entry {
        executor_impl* impl;
        std::weak_ptr<executor_impl> owner;
        std::shared_ptr<executor_impl> kept; // while the loop ends
    };

    std::mutex mutex_;
    std::vector<entry> known_;
};

} // namespace coproc::detail
