#pragma once

#include "process/crash_report.hpp"

#include <cstdint>
#include <string>

// Names and source lines for code addresses. Symbol tables are read at the first question, in the
// thread that asks, from the files; no process is started. Any thread.
namespace coproc::symbols {

/// Where code comes from.
struct location {
    std::string function; ///< "fib"; "program+0x1234" if the symbol table does not say
    std::string file;     ///< empty without debug information
    int line = 0;         ///< 0 without debug information
};

/// The name of a function of this process, as a person writes it: "fib". "program+0x1234" if the
/// module is stripped, "0x1234" if no module holds the address.
[[nodiscard]] std::string function_name(const void* function);

/// Where the instruction at an address of this process comes from. For a return address ask about
/// the address before it.
[[nodiscard]] location describe(const void* instruction);

/// Where an instruction of a module that need not be loaded here comes from.
[[nodiscard]] location describe(const std::string& module_path, std::uint64_t offset);

/// Where a frame of a crashed worker comes from.
[[nodiscard]] location describe(const process::crash_frame& frame);

/// A location as one line of a backtrace: "fib at src/fib.cpp:12".
[[nodiscard]] std::string to_string(const location& place);

} // namespace coproc::symbols
