#pragma once

// How values become bytes and bytes become values. The codecs of standard types are in codecs/.

#include <coproc/detail/decoder.hpp>
#include <coproc/detail/default_codec.hpp>
#include <coproc/detail/encoder.hpp>
#include <coproc/detail/plain.hpp>

#include <concepts>
#include <type_traits>

namespace coproc {

/**
 * @brief Says how a `T` travels between processes. Specialise it for types of your own:
 *
 *     template <> struct coproc::codec<account> {
 *         static void encode(encoder& out, const account& value) {
 *             out.write(value.owner());
 *             out.write(value.balance());
 *         }
 *         static account decode(decoder& in) {
 *             auto owner = in.read<std::string>();
 *             return account(std::move(owner), in.read<long>());
 *         }
 *     };
 *
 * `decode` reads what `encode` wrote, in the same order, and calls `in.fail("...")` for values that
 * cannot be. Both may throw.
 *
 * The types below need no code:
 *   - numbers, enumerations, `bool`. A byte that is no bool is refused. An enumeration arrives with
 *     any value of its underlying type, because nothing tells which ones have names: check it, or
 *     give it a codec that does.
 *   - `std::array`, and with the headers of `codecs/`, which `submit.hpp` includes: strings,
 *     vectors, maps and sets of all kinds, tuples, pairs, optionals, durations and time points,
 *     `std::filesystem::path`. `std::variant` needs `codecs/variant.hpp`.
 *   - aggregates of such types, of at most 64 fields, without C arrays, base classes, bit-fields,
 *     unions and references.
 */
template <class T>
struct codec : detail::default_codec<T> {
    using built_in = void; // not specialised: vectors of plain types may travel as one block
};

template <class T>
void encoder::write(const T& value) {
    static_assert(
        requires { codec<T>::encode(*this, value); },
        "no codec: include the type's header in coproc/codecs/, or specialise coproc::codec");
    if constexpr (std::derived_from<codec<T>, detail::leaf_codec>) {
        codec<T>::encode(*this, value);
    } else {
        const nesting level(*this);
        codec<T>::encode(*this, value);
    }
}

template <class T>
T decoder::read() {
    using value = std::remove_cv_t<T>;
    static_assert(
        requires { codec<value>::decode(*this); },
        "no codec: include the type's header in coproc/codecs/, or specialise coproc::codec");
    if constexpr (std::derived_from<codec<value>, detail::leaf_codec>) {
        return codec<value>::decode(*this);
    } else {
        const nesting level(*this);
        return codec<value>::decode(*this);
    }
}

} // namespace coproc
