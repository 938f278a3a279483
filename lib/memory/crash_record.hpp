#pragma once

#include <atomic>
#include <cstdint>

// What a dying worker leaves in its shared page. Written by async-signal-safe code in the worker,
// read by the parent, which trusts none of it: see lib/process/crash_report.hpp.
namespace coproc::memory {

/// A module (executable or shared library) as it was mapped in the worker when it started.
struct module_range {
    std::uint64_t base;
    std::uint64_t size;
    char path[240];
};

enum class crash_state : std::uint32_t {
    none = 0,
    recorded = 1, ///< signal, code and address are there; the doorbell has been rung
    unwound = 2,  ///< so are the frames
};

struct crash_record {
    static constexpr std::uint32_t max_frames = 64;
    static constexpr std::uint32_t max_modules = 64;

    std::atomic<crash_state> state;
    std::int32_t signal;
    std::int32_t code;
    std::uint32_t frame_count;
    std::uint64_t address;
    std::uint64_t frames[max_frames];
    std::uint32_t module_count;
    module_range modules[max_modules];
};

} // namespace coproc::memory
