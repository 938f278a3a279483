#pragma once

#include <string>

namespace coproc::symbols {

/// The name of the function at an address of this process.
[[nodiscard]] std::string function_name(const void* address);

} // namespace coproc::symbols
