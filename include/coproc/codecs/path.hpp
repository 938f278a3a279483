#pragma once

#include <coproc/codecs/string.hpp>

#include <filesystem>

namespace coproc {

/// Paths travel as their native strings.
template <>
struct codec<std::filesystem::path> {
    static void encode(encoder& out, const std::filesystem::path& value) {
        out.write(value.native());
    }
    static std::filesystem::path decode(decoder& in) {
        return std::filesystem::path(in.read<std::filesystem::path::string_type>());
    }
};

} // namespace coproc
