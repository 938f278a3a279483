#pragma once

// How a pointer to a member function travels: as the place of its code, which the worker looks up,
// and the rest of it.

#include <coproc/detail/decoder.hpp>
#include <coproc/detail/encoder.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace coproc::detail {

/// Pointers to member functions as all compilers here lay them out (the Itanium C++ ABI). That of a
/// virtual function holds its place in the virtual table, which is the same in every process.
struct member_image {
    std::uintptr_t code_or_place;
    std::ptrdiff_t adjustment;

    bool is_virtual() const noexcept {
#if defined(__arm__) || defined(__aarch64__)
        return (adjustment & 1) != 0;
#else
        return (code_or_place & 1) != 0;
#endif
    }
};

template <class F>
requires std::is_member_function_pointer_v<F> member_image image_of(F function)
noexcept {
    static_assert(sizeof(F) == sizeof(member_image));
    return std::bit_cast<member_image>(function);
}

/// Null for a virtual function: it has no code of its own.
template <class F>
const void* code_of_member(F function) noexcept {
    const member_image image = image_of(function);
    return image.is_virtual() ? nullptr : reinterpret_cast<const void*>(image.code_or_place);
}

template <class F>
void encode_member(encoder& out, F function) {
    member_image image = image_of(function);
    if (!image.is_virtual()) {
        image.code_or_place = 0;
    }
    out.write_block(&image, sizeof image);
}

/// `code` is what code_of_member told, in this process.
template <class F>
F decode_member(decoder& in, const void* code) {
    member_image image;
    std::memcpy(&image, in.read_block(sizeof image).data(), sizeof image);
    if (!image.is_virtual()) {
        image.code_or_place = reinterpret_cast<std::uintptr_t>(code);
    }
    return std::bit_cast<F>(image);
}

} // namespace coproc::detail
