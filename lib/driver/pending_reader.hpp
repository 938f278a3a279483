#pragma once

#include "coproc/detail/job_core.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/executor_work_guard.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace coproc::detail {

class executor_impl;

/// Who waits for what several tasks give, and on which loop that one's handler runs. Guarded by the
/// mutex of its owner; executors' mutexes are taken inside it.
class pending_reader {
public:
    /// On the loop of this executor. Null: on a thread of the system's.
    explicit pending_reader(std::shared_ptr<executor_impl> home);
    explicit pending_reader(asio::any_io_executor io) : io_(std::move(io)) {}
    pending_reader(const pending_reader&) = delete;
    pending_reader& operator=(const pending_reader&) = delete;
    ~pending_reader();

    const asio::any_io_executor& io_executor() const noexcept;
    /// Whether the handlers of a job run on the same loop.
    bool is_at_home(const job_core&) const noexcept;

    /// One at a time.
    void wait(waiter&) noexcept;
    bool waits() const noexcept { return pending_ != nullptr; }
    /// Whether the loop is kept at work; not beyond the wait.
    void keep_at_work(bool);

    /// From the loop.
    void complete();
    /// The same, for one that has not begun to wait.
    void complete_soon(waiter&);
    /// Completes it if it is the one that waits. It is only compared.
    bool stop_waiting(const waiter*);
    /// A job's end is told, in a completion handler of its loop or, abandoned, by the end of that
    /// loop. `answered`: the reader has what it waits for. Gives whom to `end` without the mutex.
    [[nodiscard]] waiter* told(bool at_home, bool abandoned, bool answered);
    static void end(waiter*, bool abandoned);
    /// It waits no more. Null: nobody does.
    [[nodiscard]] waiter* take() noexcept;

    /// Gives up a loop that was given as an I/O executor. Whoever waits is to be abandoned.
    [[nodiscard]] waiter* leave_loop() noexcept;

private:
    const std::shared_ptr<executor_impl> home_;
    asio::any_io_executor io_; // without a home
    waiter* pending_ = nullptr;
    std::optional<asio::executor_work_guard<asio::any_io_executor>> work_;
};

} // namespace coproc::detail
