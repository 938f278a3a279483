#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include <memory>
#include <thread>

namespace coproc::detail {

/// A loop with a thread of its own, for executors without one. Exceptions from handlers end the
/// program, as they do in any thread.
class own_loop {
public:
    [[nodiscard]] static std::shared_ptr<own_loop> make();
    ~own_loop();

    asio::any_io_executor executor() { return context_.get_executor(); }
    /// Lets the thread end when it has called what is ready, and waits for that; on the thread
    /// itself it does not wait.
    void finish() noexcept;
    [[nodiscard]] bool on_this_thread() const noexcept {
        return std::this_thread::get_id() == thread_.get_id();
    }

private:
    own_loop() : context_(1), work_(context_.get_executor()) {}

    asio::io_context context_;
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::thread thread_;
};

/// Whether this thread runs the loop behind an I/O executor, so that blocking it would block the
/// loop. Knows io_context, thread_pool and strands of them.
[[nodiscard]] bool runs_on_this_thread(const asio::any_io_executor& io);

} // namespace coproc::detail
