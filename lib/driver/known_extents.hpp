#pragma once

#include "memory/arena.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

namespace coproc::detail {

/// The extents that a worker has been told of, and not told to forget.
class known_extents {
public:
    /// False: it is there already.
    bool add(const std::shared_ptr<const memory::numbered_extent>& extent) {
        const bool there = std::any_of(extents_.begin(), extents_.end(), [&](const auto& each) {
            return each.number == extent->number;
        });
        if (!there) {
            extents_.push_back({extent->number, extent});
        }
        return !there;
    }

    /// Calls `tell` with the number of each that is closed. Those that it has returned for are
    /// forgotten, also if it throws for a later one.
    template <class Tell>
    void forget_closed(Tell&& tell) {
        for (auto at = extents_.begin(); at != extents_.end();) {
            if (at->extent.expired()) {
                tell(at->number);
                at = extents_.erase(at);
            } else {
                ++at;
            }
        }
    }

private:
    struct known {
        std::uint64_t number;
        std::weak_ptr<const memory::numbered_extent> extent;
    };

    std::vector<known> extents_;
};

} // namespace coproc::detail
