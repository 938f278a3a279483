#pragma once

#include "coproc/detail/call.hpp"
#include "wire/messages.hpp"

namespace coproc::detail {

/// Says to a worker what it shall call; texts stay the target's. Null, or why that cannot be said.
[[nodiscard]] const char* name_function(const target& what, wire::task_header& header);

} // namespace coproc::detail
