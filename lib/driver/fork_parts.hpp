#pragma once

#include "coproc/options.hpp"
#include "driver/worker_link.hpp"
#include "process/fork_settings.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace coproc::detail {

/// A worker before it is forked: what stays here, and what goes to its process.
struct fork_parts {
    launched_worker worker; ///< without a process
    /// The worker's end of its socket and, if they are captured, its outputs. Not its page, which
    /// is in `worker`.
    std::vector<std::shared_ptr<const process::unique_fd>> descriptors;
    process::fork_settings settings;
    std::uint32_t slot = 0;
};

/// The text says why they could not be made.
[[nodiscard]] std::variant<fork_parts, std::string>
make_fork_parts(const executor_options& options, std::uint32_t slot, unsigned depth);

/// Starts the process that forks workers: launch() says what that means.
[[nodiscard]] std::variant<launched_worker, std::string>
launch_zygote(const executor_options& options, unsigned depth);

} // namespace coproc::detail
