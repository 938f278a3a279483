#pragma once

#include <coproc/detail/config.hpp>

#include <cstddef>
#include <cstdint>

// How many workers there is something to run on.
namespace coproc {

/// What is counted as one CPU.
enum class cpus : std::uint8_t {
    logical,  ///< each that the kernel schedules on
    physical, ///< each core, however many hardware threads it has
};

/**
 * @brief How many CPUs this process may use; at least 1.
 *
 * The smallest of these:
 * - the CPUs in the affinity mask of the calling thread, which the processes that it starts
 *   inherit (a cpuset has narrowed it already); with cpus::physical the cores that they belong to;
 * - the CPU time that the control group of this process and each group above it may use, of
 *   version 1 or 2, in whole CPUs, rounded up. Above a container's own group nothing can be seen;
 * - the environment variable COPROC_MAX_CPU_COUNT, which is read once.
 *
 * It is counted anew at each call, in some hundred microseconds, without starting a process. Where
 * the kernel does not tell which CPUs share a core, each is taken for a core.
 *
 * @param which What is counted as one CPU.
 * @throws std::invalid_argument COPROC_MAX_CPU_COUNT is no whole number of at least 1.
 *
 * @par Thread safety
 * Any thread.
 */
[[nodiscard]] COPROC_API std::size_t cpu_count(cpus which = cpus::logical);

} // namespace coproc
