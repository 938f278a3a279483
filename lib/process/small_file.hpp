#pragma once

#include <string>
#include <string_view>

// Files of /proc and /sys, which are short and have lines.
namespace coproc::process {

/// All that is in it; empty also if it cannot be read.
[[nodiscard]] std::string read_file(const std::string& path);

/// Cuts the first line off the front of the text.
[[nodiscard]] std::string_view next_line(std::string_view& text);

} // namespace coproc::process
