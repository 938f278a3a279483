#pragma once

#include "process/child.hpp"
#include "process/os_result.hpp"
#include "process/process_settings.hpp"

#include <string>
#include <vector>

namespace coproc::process {

/// The number of the first descriptor given to a new process; the others follow.
inline constexpr int first_given_descriptor = 3;

/// A process to be started.
struct spawn_request {
    std::string executable;             ///< path of the file; no search in PATH
    std::vector<std::string> arguments; ///< argv, beginning with argv[0]
    std::vector<std::string> variables; ///< "NAME=value", added to the environment of this process
    std::vector<int> descriptors;       ///< become 3, 4, ... in the new process; borrowed
    int output = -1;                    ///< becomes standard output; borrowed. -1: ours
    int error = -1;                     ///< becomes standard error; borrowed. -1: ours
    process_settings settings = {};
};

/// Starts a process, in some 50 us whatever the size of this one: until it executes its file it has
/// no memory of its own. (posix_spawn does it in the same way, but knows neither niceness nor
/// affinity nor limits.)
///
/// It has an empty signal mask, default dispositions, a process group of its own, /dev/null as
/// standard input, the given standard output and error or ours (/dev/null where we have none), the
/// given descriptors, and no other.
///
/// Never blocks longer than the kernel takes to execute the file. Any thread.
[[nodiscard]] os_result<child> spawn(const spawn_request& request);

} // namespace coproc::process
