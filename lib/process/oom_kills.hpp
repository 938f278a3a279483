#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What the kernel counts when it kills for want of memory, and whether that explains a death.
namespace coproc::process {

/// "oom_kill 3" in a text of such lines: memory.events, memory.oom_control and /proc/vmstat all
/// have it. Pure.
[[nodiscard]] std::optional<std::uint64_t> parse_oom_kills(std::string_view text);

/**
 * @brief The nearest place where a kill of a process that we start is counted.
 *
 * It is the memory cgroup that we are in, of version 2 or 1 (each counts the processes that are
 * killed in it, by whatever limit); where that cannot be seen from here, the nearest above it; and
 * where there is none, the whole machine.
 */
class oom_kill_counter {
public:
    /// `root`: a recorded tree in place of the system's.
    [[nodiscard]] static oom_kill_counter find(const std::string& root = {});

    /// How many processes have been killed; nothing if nobody counts them.
    [[nodiscard]] std::optional<std::uint64_t> read() const;

    /// Empty: there is none.
    [[nodiscard]] const std::string& file() const noexcept { return file_; }

private:
    std::string file_;
};

/**
 * @brief Which of the counted kills are taken as the cause of a death already.
 *
 * Each kill is one process, so it explains one death: of two workers that SIGKILL ended while the
 * kernel killed one process, one was killed by somebody else.
 */
class oom_kill_claims {
public:
    /// Whether one of the kills that were counted from `before` to `now` is not taken yet; takes
    /// the oldest.
    [[nodiscard]] bool claim(std::uint64_t before, std::uint64_t now);

private:
    static constexpr std::size_t most = 64;
    std::vector<std::uint64_t> claimed_; ///< numbers of kills, ascending; the oldest are forgotten
};

/// The same for the deaths of all executors of this program, which share the kernel's counter. Any
/// thread.
[[nodiscard]] bool claim_oom_kill(std::uint64_t before, std::uint64_t now);

} // namespace coproc::process
