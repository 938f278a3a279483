#pragma once

#include "coproc/options.hpp"

#include <string>

namespace coproc::worker {

/// Whether a process of this program, started with this method, will know that it is a worker:
/// `main` has called coproc::init, or coproc_main does it for `main`.
[[nodiscard]] bool would_serve(start_method method) noexcept;

/// The program's argv[0].
[[nodiscard]] std::string program_name();

} // namespace coproc::worker
