#include "process/fork_guard.hpp"

#include <pthread.h>

namespace coproc::process {
namespace detail {

constinit std::atomic<std::uint32_t> fork_count{0};

} // namespace detail

namespace {

// Registered before main, so that no fork of the program's own is missed.
[[maybe_unused]] const int registration = ::pthread_atfork(nullptr, nullptr, &note_fork);

} // namespace
} // namespace coproc::process
