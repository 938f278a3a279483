#pragma once

#include "coproc/options.hpp"
#include "driver/worker_link.hpp"
#include "process/process_settings.hpp"
#include "worker/identity.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace coproc::detail {

/// What a process of this program is started as.
struct execution {
    worker::entry mode = worker::entry::exec;
    std::uint32_t slot = 0;
    std::vector<std::string> variables = {};
    process::process_settings settings = {};
    bool capture_output = false;
};

/// Why no process that would serve can be started with these options; empty: one can.
[[nodiscard]] std::string why_not_to_execute(const executor_options& options);

/// Starts this program again, or executor_options::program, in a new process: launch() says what
/// that means.
[[nodiscard]] std::variant<launched_worker, std::string> execute(const executor_options& options,
                                                                 execution what, unsigned depth);

} // namespace coproc::detail
