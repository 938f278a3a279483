#include "worker/nesting.hpp"

#include <algorithm>
#include <atomic>

namespace coproc::worker {
namespace {

constinit std::atomic<unsigned> process_depth = 0;
constinit thread_local unsigned thread_depth = 0;

} // namespace

unsigned nesting_depth() noexcept {
    return std::max(process_depth.load(std::memory_order_relaxed), thread_depth);
}

bool is_worker_thread() noexcept {
    return thread_depth > process_depth.load(std::memory_order_relaxed);
}

void set_process_depth(unsigned depth) noexcept {
    process_depth.store(depth, std::memory_order_relaxed);
}

void set_thread_depth(unsigned depth) noexcept { thread_depth = depth; }

} // namespace coproc::worker
