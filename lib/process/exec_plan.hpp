#pragma once

#include "process/process_settings.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

// What a new process does before it executes its file.
namespace coproc::process {

/// Where it failed.
enum class exec_step : std::uint8_t {
    group,
    working_directory,
    descriptors,
    nice,
    affinity,
    limit, ///< the one at `failed_limit`
    execute,
};

/// Everything that it needs, as plain data: the new process shares its parent's memory until then,
/// so it may neither allocate nor take a lock.
struct exec_plan {
    struct move {
        int source; ///< at least `end_of_descriptors`
        int target; ///< below it
    };

    const char* file = nullptr;
    char* const* arguments = nullptr;
    char* const* environment = nullptr;
    std::span<const move> moves = {};
    int end_of_descriptors = 0;                   ///< all from here on are closed
    const char* working_directory = nullptr;      ///< null: stays
    const int* niceness = nullptr;                ///< null: stays
    std::span<const unsigned long> cpu_mask = {}; ///< empty: stays
    std::span<const resource_limit> limits = {};

    exec_step failed_step = exec_step::execute;
    std::size_t failed_limit = 0;
    int error = 0; ///< errno of the failed step; 0: there is none
};

/// Follows the plan, in a process made by clone() with CLONE_VM and CLONE_VFORK, all signals
/// blocked. Ends in the executed file, or in the process's exit and `error`.
int follow_exec_plan(void* plan) noexcept;

} // namespace coproc::process
