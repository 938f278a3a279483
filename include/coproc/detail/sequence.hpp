#pragma once

// What sequences of values have in common: a number, then the elements.

#include <coproc/codec.hpp>

#include <cstddef>
#include <cstring>
#include <type_traits>

namespace coproc::detail {

/// Blocks are aligned as their elements are, as far as messages can.
template <class T>
inline constexpr std::size_t block_alignment = alignof(T) < encoder::max_alignment
                                                   ? alignof(T)
                                                   : encoder::max_alignment;

template <class T>
void write_elements(encoder& out, const T* elements, std::size_t count) {
    out.write_size(count);
    out.write_block(elements, count * sizeof(T), block_alignment<T>);
}

/// Reads a block of plain elements into a container of them.
template <class Container>
Container read_elements(decoder& in) {
    using T = typename Container::value_type;
    const std::size_t count = in.read_size(sizeof(T));
    const auto bytes = in.read_block(count * sizeof(T), block_alignment<T>);
    if constexpr (alignof(T) <= encoder::max_alignment) {
        const T* const first = reinterpret_cast<const T*>(bytes.data());
        return Container(first, first + count);
    } else {
        Container values;
        values.reserve(count);
        for (std::size_t i = 0; i != count; ++i) {
            values.push_back(from_bytes<T>(bytes.data() + i * sizeof(T)));
        }
        return values;
    }
}

/// An element takes at least one byte, so that no short message can claim a long sequence.
template <class T>
void write_element(encoder& out, const T& value) {
    const std::size_t before = out.size();
    out.write(value);
    if (out.size() == before) {
        constexpr std::byte filler{};
        out.write_block(&filler, 1);
    }
}

template <class T>
T read_element(decoder& in) {
    const std::size_t before = in.position();
    T value = in.read<T>();
    if (in.position() == before) {
        in.read_block(1);
    }
    return value;
}

/// For how many elements memory may be taken before they are read: no more bytes than are left.
template <class T>
std::size_t trusted_count(const decoder& in, std::size_t count) {
    const std::size_t possible = in.remaining() / sizeof(T) + 1;
    return count < possible ? count : possible;
}

} // namespace coproc::detail
