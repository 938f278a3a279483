#pragma once

#include <string_view>

#include <sys/types.h>

namespace coproc::process {

/// Whether the text of a /proc/PID/stat says that the process is on its way out: it does not run
/// its program any more. Nothing that is no such text says so. Pure.
[[nodiscard]] bool says_exiting(std::string_view stat) noexcept;

/// Whether a process that is not reaped has ended or is on its way out. True also if /proc does not
/// tell. A process whose descriptors are all closed and that is not exiting has closed them itself.
[[nodiscard]] bool is_exiting(pid_t process) noexcept;

} // namespace coproc::process
