#pragma once

#include "memory/crash_record.hpp"

#include <cstdint>
#include <memory>
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

/// The record of a worker that has crashed, in our own memory: nobody changes it any more, and
/// nothing in it is trusted.
class crash_copy {
public:
    /// Nothing: there is no record.
    [[nodiscard]] static std::optional<crash_copy> of(const memory::crash_record& shared);

    /// Whether its frames are complete.
    [[nodiscard]] bool unwound() const noexcept { return unwound_; }

    /// Finds the modules that the frames lie in: reads the file system. Nothing: the record makes
    /// no sense.
    [[nodiscard]] std::optional<crash_report> read() const;

private:
    struct record_bytes;
    std::shared_ptr<const record_bytes> bytes_;
    bool unwound_ = false;
};

/// of() and read() in one.
[[nodiscard]] std::optional<crash_report> read_crash_report(const memory::crash_record& shared);

/// The signal that a crashed worker died of; nothing if there is no record, or one that makes no
/// sense.
[[nodiscard]] std::optional<int> crash_signal(const memory::crash_record& shared) noexcept;

/// The part of read_crash_report that costs nothing: is there a record?
[[nodiscard]] inline bool has_crashed(const memory::crash_record& shared) noexcept {
    return shared.state.load(std::memory_order_acquire) != memory::crash_state::none;
}

} // namespace coproc::process
