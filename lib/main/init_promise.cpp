#include "main/init_promise.hpp"

#include <atomic>

namespace coproc::detail {

namespace {

// Initialised at compile time: it is set before dynamic initialisation begins.
constinit std::atomic<bool> promised = false;

} // namespace

void promise_init() noexcept { promised.store(true, std::memory_order_relaxed); }

bool init_promised() noexcept { return promised.load(std::memory_order_relaxed); }

} // namespace coproc::detail
