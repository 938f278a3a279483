#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Where the kernel keeps what it allows and counts for groups of processes.
namespace coproc::process {

/// The control groups of one controller that hold this process, as far as they can be seen.
struct cgroup_chain {
    bool version2 = true; ///< else the controller has a hierarchy of version 1
    /// Never empty: the group itself, then each above it, up to where the hierarchy is mounted.
    /// What is above a container's own group cannot be seen from inside.
    std::vector<std::string> directories;
};

/// The groups of a controller ("memory", "cpu"), by /proc/self/cgroup and /proc/self/mountinfo.
/// Nothing: there are none, or none can be seen. `root`: a recorded tree in place of the system's.
[[nodiscard]] std::optional<cgroup_chain> find_cgroups(std::string_view controller,
                                                       const std::string& root = {});

} // namespace coproc::process
