#pragma once

#include <atomic>
#include <cstdint>

namespace coproc::process {

namespace detail {
extern std::atomic<std::uint32_t> fork_count;
} // namespace detail

/// How many forks lie between the start of the program and this process. An object that remembers
/// the value of its construction knows by comparison that it has become a copy in a forked child.
[[nodiscard]] inline std::uint32_t fork_generation() noexcept {
    return detail::fork_count.load(std::memory_order_relaxed);
}

/// Counts a fork that the C library does not know of; in the child.
inline void note_fork() noexcept { detail::fork_count.fetch_add(1, std::memory_order_relaxed); }

} // namespace coproc::process
