#pragma once

#include <coproc/detail/fields.hpp>

#include <array>
#include <cstddef>
#include <limits>
#include <type_traits>

namespace coproc {

template <class T>
struct codec;

namespace detail {

template <class T>
consteval std::size_t plain_size();

} // namespace detail

/**
 * @brief Whether objects of type `T` travel as the bytes they are, many of them as one block.
 *
 * True for numbers, for enumerations, and for aggregates and `std::array`s of such if they have no
 * padding (its bytes are indeterminate and stay at home). `bool` is not plain, because not every
 * byte is a bool. A trivially copyable class that is no aggregate may be declared plain:
 *
 *     template <> inline constexpr bool coproc::is_plain<vec3> = true;
 *
 * which promises that it holds no pointer or reference and no padding, and that every pattern of
 * bits is a good value.
 */
template <class T>
inline constexpr bool is_plain = detail::plain_size<T>() == sizeof(T);

namespace detail {

/// Plain, and nobody gave the type a codec of its own.
template <class T>
concept block = requires {
    typename codec<T>::built_in;
}
&&is_plain<T>;

template <class T>
inline constexpr bool is_array = false;
template <class T, std::size_t N>
inline constexpr bool is_array<std::array<T, N>> = true;

template <class T>
consteval std::size_t block_size() {
    if constexpr (block<T>) {
        return sizeof(T);
    } else {
        return 0;
    }
}

template <class... Fields>
consteval std::size_t sum_of_blocks(types<Fields...>) {
    constexpr bool all = (block<Fields> && ...);
    return all ? (block_size<Fields>() + ... + 0) : 0;
}

/// How many bytes of a `T` are plain; less than its size if some are not.
template <class T>
consteval std::size_t plain_size() {
    if constexpr (std::is_same_v<std::remove_cv_t<T>, bool>) {
        return 0;
    } else if constexpr (std::is_integral_v<T>) {
        return sizeof(T);
    } else if constexpr (std::is_floating_point_v<T>) {
        return sizeof(T) <= sizeof(double) ? sizeof(T) : 0; // long double has padding
    } else if constexpr (std::is_enum_v<T>) {
        return plain_size<std::underlying_type_t<T>>();
    } else if constexpr (!std::is_trivially_copyable_v<T>) {
        return 0;
    } else if constexpr (is_array<T>) {
        return block_size<typename T::value_type>() * std::tuple_size_v<T>;
    } else if constexpr (reflectable<T> && !std::is_empty_v<T>) {
        return sum_of_blocks(fields<T>{});
    } else {
        return 0;
    }
}

} // namespace detail
} // namespace coproc
