#pragma once

#include <cstdint>
#include <string>

namespace coproc {

/// "12.3 MB", for people.
inline std::string megabytes(std::uint64_t bytes) {
    constexpr std::uint64_t tenth = 100'000;
    const std::uint64_t tenths = bytes / tenth + (bytes % tenth >= tenth / 2);
    return std::to_string(tenths / 10) + '.' + std::to_string(tenths % 10) + " MB";
}

} // namespace coproc
