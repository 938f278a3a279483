#pragma once

#include "coproc/options.hpp"
#include "driver/worker_link.hpp"

#include <string>
#include <variant>

// What each worker needs, however it comes into being.
namespace coproc::detail {

/// "step: what errno says".
[[nodiscard]] std::string failed_step(const char* step, int error);

/// Socket and page, without a process; the second descriptor is the worker's end of the socket. The
/// text says why they could not be made.
[[nodiscard]] std::variant<launched_worker, std::string>
make_parts(const executor_options& options, unsigned depth, process::unique_fd& workers_end);

/// The worker's ends of pipes for its outputs; ours are in the worker. Empty, or why there are
/// none.
[[nodiscard]] std::string make_output_pipes(launched_worker& worker, process::unique_fd& output,
                                            process::unique_fd& error);

} // namespace coproc::detail
