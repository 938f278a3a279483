#pragma once

#include <cstddef>

namespace coproc::process {

/// How many CPUs this process may run on; at least 1.
[[nodiscard]] std::size_t available_cpus() noexcept;

} // namespace coproc::process
