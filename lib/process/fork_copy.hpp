#pragma once

#include "process/os_result.hpp"

#include <sys/types.h>

namespace coproc::process {

/// Copies this process, which has one thread, and makes the copy a child of this one's parent: that
/// one learns of its death and takes its status, and whatever becomes of this process is nothing to
/// the copy. Returns in both: 0 in the copy, its number here.
///
/// fork() knows nothing of that, so this is the system call, with what the C library does for the
/// one thread of a copy. What is not done: the functions given to pthread_atfork are not called,
/// but for this library's own. Those that take locks are of no use with one thread.
[[nodiscard]] os_result<pid_t> copy_beside();

} // namespace coproc::process
