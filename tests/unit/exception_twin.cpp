#include "exception_twin.hpp"

#include <stdexcept>

#include <coproc/exception.hpp>

// An exception type in an unnamed namespace whose name another one has.

namespace {

struct twin : std::runtime_error {
    using runtime_error::runtime_error;
};

} // namespace

COPROC_EXCEPTION(twin);

void throw_other_twin() { throw twin("the other"); }
