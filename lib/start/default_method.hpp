#pragma once

#include "coproc/options.hpp"

#include <optional>
#include <string>
#include <string_view>

// Which start method an executor has that is given none. Pure.
namespace coproc::start {

/// What stands for a method that nobody knows: no executor is made with it.
inline constexpr auto unknown_method = static_cast<start_method>(-1);

/// The method that a program has set, if it has; else the one that the environment names; else
/// exec. `variable`: what COPROC_START_METHOD is, empty if it is not there.
[[nodiscard]] start_method default_method(std::optional<start_method> set,
                                          std::string_view variable) noexcept;

/// Why the method cannot be set, as a sentence; empty: it can. `set`: the one that was set before.
[[nodiscard]] std::string refusal_to_set(std::optional<start_method> set, start_method wanted,
                                         bool force);

} // namespace coproc::start
