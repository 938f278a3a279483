#pragma once

#include <coproc/detail/config.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace coproc {

/// What a worker's memory grew by with the tasks of one function.
struct memory_growth {
    const void* function = nullptr; ///< its address, if it has one
    std::string function_name = {}; ///< if that need not be looked up; see name()
    /// An estimate: the worker is measured at most once in leak_options::period, between tasks or
    /// in the midst of the next one, and what it has grown since is shared equally among the tasks
    /// that have ended since.
    std::uint64_t bytes = 0;
    std::uint64_t tasks = 0; ///< that ended

    /// For people; empty stands for all functions beyond those that are told apart. May read symbol
    /// tables.
    [[nodiscard]] COPROC_API std::string name() const;
};

/// Why a worker is replaced because of its memory. What counts is private memory, in RAM or swapped
/// out; shared memory and files do not.
struct memory_report {
    int pid = 0;                 ///< of the worker
    std::size_t slot = 0;        ///< as this_worker::slot()
    std::uint64_t reference = 0; ///< bytes after its first task, and after the short ones that it
                                 ///< had been given with it
    std::uint64_t limit = 0;     ///< bytes that it might have between tasks
    std::uint64_t measured = 0;  ///< bytes when that was exceeded
    std::uint64_t after_clean_up = 0; ///< bytes with no task running, after it had cleaned up
    std::vector<memory_growth> functions = {}; ///< that it grew with, the greatest growth first
};

/// One sentence for a person. May read symbol tables.
[[nodiscard]] COPROC_API std::string to_string(const memory_report& report);

} // namespace coproc
