#pragma once

#include "coproc/options.hpp"
#include "driver/worker_link.hpp"

#include <string>
#include <variant>

namespace coproc::detail {

/// Makes a worker as the options say: socket, shared page, process or thread. Blocks as long as the
/// kernel takes to execute the file. The text says why it could not be made: half a sentence.
/// `depth`: worker::nesting_depth() of the executor.
[[nodiscard]] std::variant<launched_worker, std::string> launch(const executor_options& options,
                                                                std::uint32_t slot, unsigned depth);

} // namespace coproc::detail
