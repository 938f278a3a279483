#pragma once

#include "coproc/options.hpp"

#include <optional>
#include <string>
#include <string_view>

// The start methods by their names, as in COPROC_START_METHOD. Pure.
namespace coproc::start {

/// Nothing: none has this name.
[[nodiscard]] std::optional<start_method> method_named(std::string_view name) noexcept;

/// All of them, for a sentence: "a, b and c".
[[nodiscard]] std::string known_methods();

} // namespace coproc::start
