#pragma once

#include <coproc/codec.hpp>

#include <tuple>
#include <utility>

namespace coproc {

/// The elements of a tuple, from the first to the last.
template <class... T>
struct codec<std::tuple<T...>> {
    using parts = detail::types<T...>;

    static void encode([[maybe_unused]] encoder& out, const std::tuple<T...>& value) {
        std::apply([&](const T&... element) { (out.write(element), ...); }, value);
    }
    static std::tuple<T...> decode([[maybe_unused]] decoder& in) {
        return std::tuple<T...>{in.read<T>()...}; // braces: from left to right
    }
};

template <class First, class Second>
struct codec<std::pair<First, Second>> {
    using parts = detail::types<First, Second>;

    static void encode(encoder& out, const std::pair<First, Second>& value) {
        out.write(value.first);
        out.write(value.second);
    }
    static std::pair<First, Second> decode(decoder& in) {
        return std::pair<First, Second>{in.read<First>(), in.read<Second>()};
    }
};

} // namespace coproc
