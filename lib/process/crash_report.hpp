#pragma once

#include "memory/crash_record.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coproc::process {

/// One function call on the stack of a worker that crashed.
struct crash_frame {
    std::string module;       ///< path of the module; empty if the address lay in none
    std::uint64_t offset = 0; ///< of the call in the module; the bare address if there is no module
    const void* here = nullptr; ///< the same code in this process; null if the module is not loaded
};

/// What a worker wrote when it crashed, checked.
struct crash_report {
    int signal = 0;
    int code = 0;                    ///< si_code
    std::uint64_t address = 0;       ///< what it touched, for SIGSEGV and the like
    bool unwound = false;            ///< `frames` is complete, up to the record's limit
    std::vector<crash_frame> frames; ///< innermost first; each lies inside the call, not behind it
};

/// Reads the record of a worker that has crashed. Nothing: there is none. The record is copied once
/// and then trusted in nothing, so any bytes give a report or nothing.
[[nodiscard]] std::optional<crash_report> read_crash_report(const memory::crash_record& shared);

/// The part of read_crash_report that costs nothing: is there a record?
[[nodiscard]] inline bool has_crashed(const memory::crash_record& shared) noexcept {
    return shared.state.load(std::memory_order_acquire) != memory::crash_state::none;
}

} // namespace coproc::process
