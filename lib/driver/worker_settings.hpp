#pragma once

#include "coproc/options.hpp"
#include "process/process_settings.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// What the options mean for the worker in one slot. Pure.
namespace coproc::detail {

/// Each "{slot}" in the text is replaced by the number.
[[nodiscard]] std::string with_slot(std::string_view text, std::uint32_t slot);

/// "NAME=value" of each.
[[nodiscard]] std::vector<std::string>
variables_for(const std::map<std::string, std::string>& environment, std::uint32_t slot);

/// Those whose values are the same in all slots.
[[nodiscard]] std::vector<std::string>
common_variables(const std::map<std::string, std::string>& environment);

[[nodiscard]] process::process_settings settings_for(const process_options& options,
                                                     std::uint32_t slot);

/// What a process that forks workers must have so that they can have theirs: the stack of a process
/// has its place from the moment when its file is executed.
[[nodiscard]] process::process_settings settings_for_zygote(const process_options& options);

} // namespace coproc::detail
