#include "driver/progress_service.hpp"

#include "driver/progress_core.hpp"

#include <utility>

namespace coproc::detail {

void progress_list::add(progress_core& core) {
    const std::lock_guard lock(mutex_);
    known_.insert(&core);
}

void progress_list::remove(progress_core& core) noexcept {
    const std::lock_guard lock(mutex_);
    if (known_.erase(&core) != 0) {
        core.leave_loop();
    }
}

void progress_list::loop_ends() noexcept {
    waiter* abandoned = nullptr;
    {
        const std::lock_guard lock(mutex_);
        for (progress_core* const core : known_) {
            if (waiter* const waiting = core->leave_loop()) {
                waiting->next = std::exchange(abandoned, waiting);
            }
        }
        known_.clear();
    }
    while (abandoned != nullptr) {
        std::exchange(abandoned, abandoned->next)->abandon();
    }
}

} // namespace coproc::detail
