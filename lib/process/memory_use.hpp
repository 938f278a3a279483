#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What memory a process has to itself. Shared memory, also that of memfds, and files do not count.
namespace coproc::process {

/// Anonymous memory, in RAM (`RssAnon`) and swapped out (`VmSwap`), in bytes: from a text as
/// /proc/PID/status. Nothing if it does not tell, as that of a dead process. Pure.
[[nodiscard]] std::optional<std::uint64_t> parse_private_memory(std::string_view status);

/// The same from a text as /proc/PID/smaps_rollup, without what is swapped out (where shared memory
/// would count), and without what was given back and is only not taken yet (`LazyFree`). Pure.
[[nodiscard]] std::optional<std::uint64_t> parse_resident_memory(std::string_view smaps_rollup);

/// `directory`: that of the process, as "/proc/self". Takes some 20 us, whatever the process's
/// size, 10 of them for opening the file; it is not kept open, since a descriptor for each worker
/// would cost more than that, once a second.
[[nodiscard]] std::optional<std::uint64_t> private_memory(const std::string& directory) noexcept;

/// The same, counted page by page by the kernel, which takes it some 10 ms for each GB. Where it
/// does not tell, as private_memory().
[[nodiscard]] std::optional<std::uint64_t>
exact_private_memory(const std::string& directory) noexcept;

} // namespace coproc::process
