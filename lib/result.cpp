#include <coproc/result.hpp>

#include <stdexcept>

namespace coproc::detail {

void throw_no_error() {
    throw std::logic_error("coproc::result::error() was called on a result that has a value");
}

} // namespace coproc::detail
