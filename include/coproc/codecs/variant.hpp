#pragma once

#include <coproc/codec.hpp>

#include <cstdint>
#include <utility>
#include <variant>

namespace coproc {

/// Which alternative it is, counted from 0, then that one. A variant that has lost its value
/// (valueless_by_exception) cannot be sent.
template <class... T>
struct codec<std::variant<T...>> {
    using parts = detail::types<T...>;

    static void encode(encoder& out, const std::variant<T...>& value) {
        if (value.valueless_by_exception()) {
            throw encode_error("a variant has no value");
        }
        out.write(static_cast<std::uint32_t>(value.index()));
        std::visit([&](const auto& alternative) { out.write(alternative); }, value);
    }
    static std::variant<T...> decode(decoder& in) {
        const auto index = in.read<std::uint32_t>();
        if (index >= sizeof...(T)) {
            in.fail("a variant has no such alternative", in.position() - sizeof index);
        }
        return decode_alternative<0>(in, index);
    }

private:
    template <std::size_t I>
    static std::variant<T...> decode_alternative(decoder& in, std::uint32_t index) {
        if constexpr (I + 1 < sizeof...(T)) {
            if (index != I) {
                return decode_alternative<I + 1>(in, index);
            }
        }
        using alternative = std::variant_alternative_t<I, std::variant<T...>>;
        return std::variant<T...>(std::in_place_index<I>, in.read<alternative>());
    }
};

} // namespace coproc
