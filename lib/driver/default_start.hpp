#pragma once

#include <string>

namespace coproc::detail {

/// What the environment variable COPROC_START_METHOD was when it was first looked at; empty if it
/// was not there. Any thread.
[[nodiscard]] const std::string& start_method_variable();

} // namespace coproc::detail
