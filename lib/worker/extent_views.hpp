#pragma once

#include "array_source.hpp"
#include "process/unique_fd.hpp"
#include "wire/messages.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace coproc::worker {

/// The extents of the parent that this worker process has mapped, for the arrays among its tasks'
/// arguments.
class extent_views final : public detail::array_source {
public:
    /// Takes the descriptor, if it has arrived: the first of these.
    void learn(const wire::extent_header&, std::vector<process::unique_fd>& arrived);
    /// Unmaps it, unless the program has kept an array.
    void forget(std::uint64_t number) { known_.erase(number); }

    detail::referred_memory find(const detail::array_reference&) const override;

private:
    struct view {
        detail::array_ptr memory = {}; ///< null: it cannot be mapped
        std::span<const std::byte> bytes = {};
        std::string why_not = {};
    };

    static view map(const wire::extent_header&, std::vector<process::unique_fd>& arrived);

    std::map<std::uint64_t, view> known_; // by number
};

} // namespace coproc::worker
