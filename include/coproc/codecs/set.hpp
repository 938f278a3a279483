#pragma once

#include <coproc/detail/associative.hpp>

#include <set>

namespace coproc {

/// Sets travel as their number of elements, then the elements, in order.
template <class Key, class Compare, class Allocator>
struct codec<std::set<Key, Compare, Allocator>>
    : detail::set_codec<std::set<Key, Compare, Allocator>> {};

} // namespace coproc
