#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/resource.h>

namespace coproc::process {

/// What setrlimit takes, and what executor_options::process.limits calls it.
struct resource_limit {
    int resource = 0;
    rlim_t soft = RLIM_INFINITY;
    rlim_t hard = RLIM_INFINITY;
    std::string name = {};
};

/// What a process has of its own where others have what their parent has. The names are those of
/// executor_options::process.
struct process_settings {
    std::string working_directory = {};      ///< empty: the parent's
    int nice = 0;                            ///< added to the niceness of the thread that starts it
    std::vector<unsigned> affinity = {};     ///< CPUs; empty: the mask of that thread
    std::vector<resource_limit> limits = {}; ///< all others: the parent's
};

/// What could not be set.
enum class setting : std::uint8_t {
    working_directory,
    nice,
    affinity,
    limit, ///< the one at `failed_limit`
};

/// The option and the call that failed, for a person: "executor_options::process.nice: setpriority
/// to 25". Pure.
[[nodiscard]] std::string describe(setting, const process_settings&, int niceness,
                                   std::size_t failed_limit);

/// The CPUs as sched_setaffinity takes them. Pure.
[[nodiscard]] std::vector<unsigned long> mask_of(const std::vector<unsigned>& cpus);

/// `nice` added to the niceness of this thread, within what there is.
[[nodiscard]] int niceness_with(int nice) noexcept;

} // namespace coproc::process
