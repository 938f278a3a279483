#include "process/os_result.hpp"

#include <system_error>

namespace coproc::process {

std::string os_error::message() const {
    return step + ": " + std::generic_category().message(number);
}

} // namespace coproc::process
