#pragma once

#include <coproc/codec.hpp>
#include <coproc/detail/sequence.hpp>

#include <vector>

namespace coproc {

/// Vectors of plain elements travel as one aligned block, others element by element.
template <class T, class Allocator>
struct codec<std::vector<T, Allocator>> {
    using parts = detail::types<T>;

    static void encode(encoder& out, const std::vector<T, Allocator>& values) {
        if constexpr (detail::block<T>) {
            detail::write_elements(out, values.data(), values.size());
        } else {
            out.write_size(values.size());
            for (const auto& value : values) { // of vector<bool>: proxies
                detail::write_element<T>(out, value);
            }
        }
    }

    static std::vector<T, Allocator> decode(decoder& in) {
        if constexpr (detail::block<T>) {
            return detail::read_elements<std::vector<T, Allocator>>(in);
        } else {
            const std::size_t count = in.read_size();
            std::vector<T, Allocator> values;
            values.reserve(detail::trusted_count<T>(in, count));
            for (std::size_t i = 0; i != count; ++i) {
                values.push_back(detail::read_element<T>(in));
            }
            return values;
        }
    }
};

} // namespace coproc
