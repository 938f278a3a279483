#pragma once

#include <coproc/detail/config.hpp>
#include <coproc/detail/encoder.hpp>

#include <memory>

// What a task has besides its bytes: it stays with the caller until the task is done.
namespace coproc::detail {

class luggage;

struct drop_luggage {
    COPROC_API void operator()(luggage*) const noexcept;
};

using luggage_ptr = std::unique_ptr<luggage, drop_luggage>;

/// An element of a chunk begins, perhaps the first: then what is there by now is of all elements.
COPROC_API void begin_element(luggage&, bool first) noexcept;
/// For the chunk that begins with the last element of this one: the same sinks with the same
/// numbers, the arrays of all elements and those of the last one. Null if it is null.
COPROC_API luggage_ptr carry(const luggage*);

/// From an encoder to the submit that it belongs to.
struct luggage_access {
    static luggage_ptr* of(const encoder& out) noexcept { return out.luggage_; }
    static void set(encoder& out, luggage_ptr* where) noexcept { out.luggage_ = where; }
};

} // namespace coproc::detail
