#pragma once

#include <coproc/result.hpp>

#include <cstddef>
#include <utility>

namespace coproc {

/// One result of a stream, and which one it is.
template <class R>
struct [[nodiscard]] element : result<R> {
    element() = default;
    element(result<R> given, std::size_t at) : result<R>(std::move(given)), index(at) {}

    /// Its place in the range, or among the jobs, counted from 0.
    std::size_t index = 0;
};

} // namespace coproc
