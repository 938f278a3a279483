#pragma once

#include <coproc/detail/config.hpp>

namespace coproc::detail {

/// Says that coproc::init will be called before main. The library coproc-main does so before any
/// static constructor of the program runs, so that executors made there may start workers.
COPROC_API void promise_init() noexcept;

/// Whether promise_init was called.
[[nodiscard]] bool init_promised() noexcept;

/// What the wrapped main calls: coproc::init, unless this is a worker of start_method::exec_main,
/// whose main calls it.
COPROC_API void init_before_main();

} // namespace coproc::detail
