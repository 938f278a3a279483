#pragma once

// The codecs of types that have none of their own: numbers, enumerations, plain classes, arrays and
// aggregates.

#include <coproc/detail/decoder.hpp>
#include <coproc/detail/encoder.hpp>
#include <coproc/detail/plain.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

namespace coproc::detail {

/// Marks codecs that call no other: their values do not count as a level of nesting.
struct leaf_codec {};

/// No codec: whatever is not below.
template <class T>
struct default_codec {};

/// A plain object made of its bytes; it need not have a default constructor.
template <class T>
T from_bytes(const std::byte* bytes) {
    struct alignas(T) image {
        std::byte bytes[sizeof(T)];
    } copy;
    std::memcpy(copy.bytes, bytes, sizeof(T));
    return std::bit_cast<T>(copy);
}

template <class T>
requires is_plain<T>
struct default_codec<T> : leaf_codec {
    static void encode(encoder& out, const T& value) {
        out.write_block(std::addressof(value), sizeof(T));
    }
    static T decode(decoder& in) { return from_bytes<T>(in.read_block(sizeof(T)).data()); }
};

template <>
struct default_codec<bool> : leaf_codec {
    static void encode(encoder& out, bool value) { out.write_block(&value, 1); }
    static bool decode(decoder& in) {
        const std::byte byte = in.read_block(1)[0];
        if (byte > std::byte{1}) [[unlikely]] {
            in.fail("a bool is neither 0 nor 1", in.position() - 1);
        }
        return byte == std::byte{1};
    }
};

template <>
struct default_codec<long double> : leaf_codec {
    // The x87 format has 80 bits; the rest of the object is padding.
    static constexpr std::size_t used =
        std::numeric_limits<long double>::digits == 64 ? 10 : sizeof(long double);
    static void encode(encoder& out, long double value) { out.write_block(&value, used); }
    static long double decode(decoder& in) {
        long double value = 0;
        std::memcpy(&value, in.read_block(used).data(), used);
        return value;
    }
};

template <class T>
requires(std::is_enum_v<T> && !is_plain<T>) struct default_codec<T> : leaf_codec {
    using number = std::underlying_type_t<T>;
    static void encode(encoder& out, T value) { out.write(static_cast<number>(value)); }
    static T decode(decoder& in) { return static_cast<T>(in.read<number>()); }
};

template <class T, std::size_t N>
requires(!is_plain<std::array<T, N>>) struct default_codec<std::array<T, N>> {
    using parts = types<T>;
    static void encode(encoder& out, const std::array<T, N>& values) {
        for (const T& value : values) {
            out.write(value);
        }
    }
    static std::array<T, N> decode(decoder& in) {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return std::array<T, N>{(static_cast<void>(I), in.read<T>())...};
        }
        (std::make_index_sequence<N>{});
    }
};

template <class T>
requires(!is_plain<T> && reflectable<T>) struct default_codec<T> {
    using parts = fields<T>;
    static void encode([[maybe_unused]] encoder& out, const T& value) {
        visit_fields(value, [&](const auto&... field) { (out.write(field), ...); });
    }
    static T decode(decoder& in) { return decode_fields(in, parts{}); }

private:
    template <class... Fields>
    static T decode_fields([[maybe_unused]] decoder& in, types<Fields...>) {
        return T{in.read<Fields>()...}; // braces: from left to right
    }
};

} // namespace coproc::detail
