#pragma once

#include <coproc/detail/associative.hpp>

#include <unordered_set>

namespace coproc {

/// As std::set; the order of the elements is not kept.
template <class Key, class Hash, class Equal, class Allocator>
struct codec<std::unordered_set<Key, Hash, Equal, Allocator>>
    : detail::set_codec<std::unordered_set<Key, Hash, Equal, Allocator>> {};

} // namespace coproc
