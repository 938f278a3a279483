#pragma once

#include "array_source.hpp"
#include "memory/shared_page.hpp"
#include "process/unique_fd.hpp"

#include <cstdint>
#include <memory>

namespace coproc::worker {

class worker_scope;
class zygote;

/// What a worker serves with.
struct service {
    process::unique_fd socket;
    std::shared_ptr<memory::shared_page> page;
    std::uint64_t nonce = 0;
    std::uint32_t slot = 0;
    /// Where its tasks find arrays, if it is a thread of their process.
    const detail::array_source* arrays = nullptr;
    /// If it does not serve but forks those who do.
    zygote* forks = nullptr;
};

/// Says hello, then runs tasks until the parent asks to leave or is gone. Runs on the thread of its
/// caller. `scope` is what its tasks have beyond one task; it leaves when they have.
void serve(service&, worker_scope& scope);

/// The same until there is a worker in this process, the copy of it that service::forks has made:
/// that one has to serve. Returns in the zygote when the parent is gone. The scope is what the
/// workers begin with.
void serve_forks(service&, worker_scope& scope);

/// Tells the parent why this process cannot be a worker.
void say_why_not(int socket, const char* text) noexcept;

} // namespace coproc::worker
