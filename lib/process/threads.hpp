#pragma once

#include <cstddef>

namespace coproc::process {

/// How many threads this process has, less that of ThreadSanitizer, which needs one for itself and
/// does not mind to be copied without it. 0: /proc does not tell.
[[nodiscard]] std::size_t count_threads() noexcept;

} // namespace coproc::process
