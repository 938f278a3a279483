#pragma once

#include <string>
#include <vector>

#include <sys/resource.h>

namespace coproc::process {

/// What setrlimit takes, and what executor_options::process.limits calls it.
struct resource_limit {
    int resource = 0;
    rlim_t soft = RLIM_INFINITY;
    rlim_t hard = RLIM_INFINITY;
    const char* name = "";
};

/// What a process has of its own where others have what their parent has. The names are those of
/// executor_options::process.
struct process_settings {
    std::string working_directory = {};      ///< empty: the parent's
    int nice = 0;                            ///< added to the niceness of the thread that starts it
    std::vector<unsigned> affinity = {};     ///< CPUs; empty: the mask of that thread
    std::vector<resource_limit> limits = {}; ///< all others: the parent's
};

} // namespace coproc::process
