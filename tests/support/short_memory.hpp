#pragma once

#include <optional>

// For programs that are linked with short_memory.cpp, which replaces operator new.
namespace coproc::test {

/// How many allocations of this thread succeed before the others fail; none: all do.
extern thread_local std::optional<unsigned> allocations_left;

/// What `call` gives when only the first `allocations` allocations succeed.
template <class Call>
auto with_short_memory(unsigned allocations, Call call) {
    struct restore {
        ~restore() { allocations_left.reset(); }
    } afterwards;
    allocations_left = allocations;
    return call();
}

} // namespace coproc::test
