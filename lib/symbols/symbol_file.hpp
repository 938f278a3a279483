#pragma once

#include <cstdint>
#include <string>

struct backtrace_state;

namespace coproc::process {
class loaded_module;
} // namespace coproc::process

namespace coproc::symbols {

/// What libbacktrace can read about one module. Cheap to copy; what was read is kept for ever, as
/// libbacktrace cannot give it back.
class symbol_file {
public:
    /// The file of a module of this process. Empty if the file on disk is another build by now.
    [[nodiscard]] static symbol_file of(const process::loaded_module& module);
    /// A file. Empty if it is not an ELF file that we can read.
    [[nodiscard]] static symbol_file of(const std::string& path);

    struct answer {
        std::string symbol;        ///< from the symbol table, mangled
        std::string line_function; ///< from the debug information, innermost, usually mangled
        std::string file;
        int line = 0;
    };
    /// All that is known about the instruction at an offset.
    [[nodiscard]] answer look_up(std::uint64_t offset) const;
    /// The mangled name of the function at an offset; empty if unknown.
    [[nodiscard]] std::string symbol_at(std::uint64_t offset) const;

private:
    backtrace_state* state_ = nullptr;
    std::uintptr_t base_ = 0; // where `state_` believes offset 0 to be
};

} // namespace coproc::symbols
