#pragma once

#include "coproc/options.hpp"
#include "worker/identity.hpp"
#include "worker/serve.hpp"

#include <string>

namespace coproc::worker {

/// Whether a process of this program, started with this method, will know that it is a worker:
/// `main` has called coproc::init, or coproc_main does it for `main`.
[[nodiscard]] bool would_serve(start_method method) noexcept;

/// Whether this process was started as a worker and has not begun to serve. What it executes until
/// then, each of its own workers would execute as well, and so on without end.
[[nodiscard]] bool is_not_serving_yet() noexcept;

/// Maps the page, takes signals and crashes as a worker does, and says that this process serves.
[[nodiscard]] service prepare_to_serve(const identity&);

/// The program's argv[0].
[[nodiscard]] std::string program_name();

} // namespace coproc::worker
