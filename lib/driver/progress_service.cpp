#include "driver/progress_service.hpp"

#include "driver/progress_core.hpp"

namespace coproc::detail {

void progress_service::add(const std::shared_ptr<progress_core>& core) {
    const std::lock_guard lock(mutex_);
    known_.emplace(core.get(), core);
}

void progress_service::remove(const progress_core* core) noexcept {
    const std::lock_guard lock(mutex_);
    known_.erase(core);
}

void progress_service::shutdown() {
    std::unordered_map<const progress_core*, std::weak_ptr<progress_core>> known;
    {
        const std::lock_guard lock(mutex_);
        known.swap(known_);
    }
    for (const auto& [address, weak] : known) {
        if (const auto core = weak.lock()) {
            core->loop_ends();
        }
    }
}

} // namespace coproc::detail
