#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace coproc::worker {

class worker_scope;

/// Gives back what no task needs, if the process has more private memory than `limit` bytes: first
/// what the C library can, then what the hooks of tasks can. What it has in the end; 0: nobody
/// knows. Between two tasks.
std::uint64_t clean_up(worker_scope& scope, std::uint64_t limit) noexcept;

/// As the protocol has it.
constexpr std::uint32_t kibibytes(std::uint64_t bytes) noexcept {
    constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
    return static_cast<std::uint32_t>(std::min(bytes / 1024, most));
}

} // namespace coproc::worker
