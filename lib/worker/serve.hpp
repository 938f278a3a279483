#pragma once

#include "array_source.hpp"
#include "memory/shared_page.hpp"
#include "process/unique_fd.hpp"

#include <cstdint>
#include <memory>

namespace coproc::worker {

/// What a worker serves with.
struct service {
    process::unique_fd socket;
    std::shared_ptr<memory::shared_page> page;
    std::uint64_t nonce = 0;
    std::uint32_t slot = 0;
    /// Where its tasks find arrays, if it is a thread of their process.
    const detail::array_source* arrays = nullptr;
};

/// Says hello, then runs tasks until the parent asks to leave or is gone. Runs on the thread of its
/// caller.
void serve(service&);

/// Tells the parent why this process cannot be a worker.
void say_why_not(int socket, const char* text) noexcept;

} // namespace coproc::worker
