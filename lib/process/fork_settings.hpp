#pragma once

#include "process/process_settings.hpp"

#include <coproc/detail/encoder.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace coproc::process {

/// What a forked worker has of its own, which one that is executed has from its beginning.
struct fork_settings {
    process_settings process = {};
    std::optional<int> niceness = {};        ///< absolute, in place of process.nice; none: stays
    std::vector<std::string> variables = {}; ///< "NAME=value"
};

/// As the payload of a wire::fork_order.
[[nodiscard]] coproc::detail::payload encode_settings(const fork_settings&);

/// The inverse; throws decode_error.
[[nodiscard]] fork_settings decode_settings(std::span<const std::byte> payload);

/// Gives them to this process, which has one thread. Empty, or what the system refuses: "what:
/// why".
[[nodiscard]] std::string take_settings(const fork_settings&);

} // namespace coproc::process
