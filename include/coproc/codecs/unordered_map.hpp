#pragma once

#include <coproc/detail/associative.hpp>

#include <unordered_map>

namespace coproc {

/// As std::map; the order of the entries is not kept.
template <class Key, class Value, class Hash, class Equal, class Allocator>
struct codec<std::unordered_map<Key, Value, Hash, Equal, Allocator>>
    : detail::map_codec<std::unordered_map<Key, Value, Hash, Equal, Allocator>> {};

} // namespace coproc
