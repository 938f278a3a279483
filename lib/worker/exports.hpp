#pragma once

#include "coproc/detail/exported.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace coproc::worker {

/// What a look for an exported function has found.
struct found_export {
    detail::invoker invoke; ///< null: nothing that may be called
    std::string why_not;
};

/// The function that this process exports by that name, if its parameters and its result look in
/// messages as the caller means. Any thread.
[[nodiscard]] found_export find_export(std::string_view name, std::uint64_t signature);

} // namespace coproc::worker
