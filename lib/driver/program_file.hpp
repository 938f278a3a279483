#pragma once

#include <string>
#include <string_view>

namespace coproc::detail {

/// The file that a worker of start_method::program executes. `given`: executor_options::program.
[[nodiscard]] std::string program_file(std::string_view given);

} // namespace coproc::detail
