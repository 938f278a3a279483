#pragma once

// Maps and sets: a number, then the entries, no key twice.

#include <coproc/codec.hpp>
#include <coproc/detail/sequence.hpp>

#include <concepts>
#include <cstddef>
#include <utility>

namespace coproc::detail {

// Told by what they have, so that no program compiles <map> or <unordered_map> for nothing, and
// maps of other libraries travel as those of the standard one do.

template <class T>
concept associative = requires(T container, typename T::value_type entry) {
    typename T::key_type;
    container.emplace_hint(container.end(), std::move(entry));
    { container.size() } -> std::convertible_to<std::size_t>;
}
&&std::default_initializable<T>;

template <class T>
concept map_like =
    associative<T> && std::same_as<typename T::value_type,
                                   std::pair<const typename T::key_type, typename T::mapped_type>>;

template <class T>
concept set_like = associative<T> && std::same_as<typename T::value_type, typename T::key_type>;

/// Memory for so many entries, as far as a message may ask for it.
template <class Key, class Container>
void reserve_trusted(Container& container, const decoder& in, std::size_t count) {
    if constexpr (requires { container.reserve(count); }) {
        container.reserve(trusted_count<Key>(in, count));
    }
}

/// Entries come in the container's own order, so that an ordered one need not search for the place
/// of each. One that is there already would be lost.
template <class Container, class... Entry>
void add_entry(Container& container, decoder& in, Entry&&... entry) {
    const std::size_t before = container.size();
    container.emplace_hint(container.end(), std::forward<Entry>(entry)...);
    if (container.size() == before) {
        in.fail("a key occurs twice");
    }
}

template <class Map>
struct map_codec {
    using key = typename Map::key_type;
    using value = typename Map::mapped_type;
    using parts = types<key, value>;

    static void encode(encoder& out, const Map& map) {
        out.write_size(map.size());
        for (const auto& [k, v] : map) {
            write_element(out, k);
            out.write(v);
        }
    }
    static Map decode(decoder& in) {
        const std::size_t count = in.read_size();
        Map map;
        reserve_trusted<key>(map, in, count);
        for (std::size_t i = 0; i != count; ++i) {
            key k = read_element<key>(in);
            add_entry(map, in, std::move(k), in.read<value>());
        }
        return map;
    }
};

template <class Set>
struct set_codec {
    using key = typename Set::key_type;
    using parts = types<key>;

    static void encode(encoder& out, const Set& set) {
        out.write_size(set.size());
        for (const key& k : set) {
            write_element(out, k);
        }
    }
    static Set decode(decoder& in) {
        const std::size_t count = in.read_size();
        Set set;
        reserve_trusted<key>(set, in, count);
        for (std::size_t i = 0; i != count; ++i) {
            add_entry(set, in, read_element<key>(in));
        }
        return set;
    }
};

} // namespace coproc::detail

namespace coproc {

/// Maps travel as their number of entries, then key and value of each, in the order of the
/// container: of an unordered one it is not kept. Allocator, comparison and hash stay at home.
template <detail::map_like Map>
struct codec<Map> : detail::map_codec<Map> {};

/// Sets travel as their number of elements, then the elements, as maps do.
template <detail::set_like Set>
struct codec<Set> : detail::set_codec<Set> {};

} // namespace coproc
