#pragma once

#include "coproc/detail/job_core.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include <atomic>
#include <memory>
#include <thread>

namespace coproc::detail {

/// A loop with a thread of its own, for executors without one. Exceptions from handlers end the
/// program, as they do in any thread.
class own_loop {
public:
    /// `lendable`: lend() may be called, which costs a lock for each operation.
    [[nodiscard]] static std::shared_ptr<own_loop> make(bool lendable = false);
    ~own_loop();

    asio::any_io_executor executor() { return context_.get_executor(); }
    /// Lets the thread end when it has called what is ready, and waits for that; on the thread
    /// itself it does not wait.
    void finish() noexcept;
    [[nodiscard]] bool on_this_thread() const noexcept { return here == this; }

    // ---- the end of the program

    /// From now on handlers of users are not called, and not destroyed either: what they refer to
    /// may be gone.
    void silence() noexcept { silent_.store(true, std::memory_order_relaxed); }
    /// Runs the loop in another thread, because its own is in a handler that waits for it and never
    /// returns.
    [[nodiscard]] std::thread lend();
    /// Calls nothing more, and waits for the thread unless it is this one.
    void halt() noexcept;

    /// The silent loop that runs in this thread, or null.
    [[nodiscard]] static own_loop* silent_here() noexcept {
        return here != nullptr && here->silent_.load(std::memory_order_relaxed) ? here : nullptr;
    }
    /// A handler that is not called; only where silent_here() is this.
    void leave(waiter& uncalled) noexcept {
        uncalled.next = uncalled_;
        uncalled_ = &uncalled;
    }

private:
    explicit own_loop(bool lendable);
    void run();

    static thread_local constinit own_loop* here [[gnu::tls_model("initial-exec")]];

    asio::io_context context_;
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::thread thread_;
    std::atomic<bool> silent_ = false;
    waiter* uncalled_ = nullptr;
};

/// Whether this thread runs the loop behind an I/O executor, so that blocking it would block the
/// loop. Knows io_context, thread_pool and strands of them.
[[nodiscard]] bool runs_on_this_thread(const asio::any_io_executor& io);

} // namespace coproc::detail
