#pragma once

#include <coproc/codec.hpp>

#include <string>

namespace coproc {

/// Strings travel as one block.
template <class Char, class Traits, class Allocator>
struct codec<std::basic_string<Char, Traits, Allocator>> : detail::leaf_codec {
    using string = std::basic_string<Char, Traits, Allocator>;

    static void encode(encoder& out, const string& value) {
        out.write_size(value.size());
        out.write_block(value.data(), value.size() * sizeof(Char), alignof(Char));
    }
    static string decode(decoder& in) {
        const std::size_t size = in.read_size(sizeof(Char));
        const auto bytes = in.read_block(size * sizeof(Char), alignof(Char));
        return string(reinterpret_cast<const Char*>(bytes.data()), size);
    }
};

} // namespace coproc
