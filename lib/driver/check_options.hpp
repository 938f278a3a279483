#pragma once

#include "coproc/options.hpp"

namespace coproc::detail {

/// Fills in what is not given. Throws std::invalid_argument, naming the field or the environment
/// variable.
[[nodiscard]] executor_options complete(executor_options given);

} // namespace coproc::detail
