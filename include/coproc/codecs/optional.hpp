#pragma once

#include <coproc/codec.hpp>

#include <optional>

namespace coproc {

/// Whether there is a value, then the value.
template <class T>
struct codec<std::optional<T>> {
    using parts = detail::types<T>;

    static void encode(encoder& out, const std::optional<T>& value) {
        out.write(value.has_value());
        if (value) {
            out.write(*value);
        }
    }
    static std::optional<T> decode(decoder& in) {
        if (!in.read<bool>()) {
            return std::nullopt;
        }
        return std::optional<T>(in.read<T>());
    }
};

} // namespace coproc
