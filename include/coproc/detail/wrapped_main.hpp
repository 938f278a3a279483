#pragma once

#include <coproc/detail/config.hpp>

namespace coproc::detail {

/// What coproc_main calls before the program's main: coproc::init, unless this is a worker of
/// start_method::exec_main, where main calls it.
COPROC_API void init_before_main();

} // namespace coproc::detail
