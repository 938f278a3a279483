#pragma once

#include "coproc/cpu_count.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// How many CPUs there are to run on: what the kernel says, and what follows from it.
namespace coproc::process {

/// The numbers of the CPUs that this thread may run on, ascending; never empty.
[[nodiscard]] std::vector<unsigned> allowed_cpus();

/// How many CPUs' time a group may use, rounded up, as cpu.max has it: "150000 100000" is 2.
/// Nothing: there is no limit ("max 100000"), or it is no such text. Pure.
[[nodiscard]] std::optional<std::size_t> parse_cpu_max(std::string_view text);

/// The same of cpu.cfs_quota_us and cpu.cfs_period_us; a quota of -1 is no limit. Pure.
[[nodiscard]] std::optional<std::size_t> parse_cfs_quota(std::string_view quota,
                                                         std::string_view period);

/// The least that the control groups of this process allow, its own and all above it. `root`: a
/// recorded tree in place of the system's.
[[nodiscard]] std::optional<std::size_t> cpu_quota(const std::string& root = {});

/// How many cores these CPUs belong to, by /sys. One that /sys does not know is a core of its own.
[[nodiscard]] std::size_t count_cores(std::span<const unsigned> cpus, const std::string& root = {});

/// What cpu_count() gives where these are the CPUs in the mask and `bound` is what the user allows.
[[nodiscard]] std::size_t count_cpus(cpus which, std::span<const unsigned> allowed,
                                     std::optional<std::size_t> bound,
                                     const std::string& root = {});

} // namespace coproc::process
