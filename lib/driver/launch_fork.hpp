#pragma once

#include "coproc/options.hpp"
#include "driver/worker_link.hpp"

#include <cstdint>
#include <string>
#include <variant>

namespace coproc::detail {

/// Makes a worker of a copy of this process, which must have one thread: launch() says what that
/// means. Does not return in the copy. Blocks as long as the kernel takes to copy the tables of
/// this process's memory.
[[nodiscard]] std::variant<launched_worker, std::string>
launch_fork(const executor_options& options, std::uint32_t slot, unsigned depth);

} // namespace coproc::detail
