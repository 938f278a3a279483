#pragma once

#include <coproc/detail/associative.hpp>

#include <map>

namespace coproc {

/// Maps travel as their number of entries, then key and value of each, in order. The allocator and
/// the comparison stay at home.
template <class Key, class Value, class Compare, class Allocator>
struct codec<std::map<Key, Value, Compare, Allocator>>
    : detail::map_codec<std::map<Key, Value, Compare, Allocator>> {};

} // namespace coproc
