#pragma once

#include "coproc/detail/stream_core.hpp"
#include "driver/job_core.hpp"
#include "driver/pending_reader.hpp"
#include "stream/window.hpp"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

// The tasks of a stream on their way: what streams::window decides, done. Under the mutex runs no
// code of users; executors' mutexes are taken inside it and never the other way round.
namespace coproc::detail {

class stream_core final : public std::enable_shared_from_this<stream_core> {
public:
    /// Elements are the tasks' of a source, or jobs that are added: then it is null. `home` is the
    /// executor on whose loop handlers run; null: there is none, and no task either.
    stream_core(std::shared_ptr<executor_impl> home, std::size_t limit, bool ordered,
                std::unique_ptr<task_source> source);

    /// Adds a task that is there already.
    void add(job_ptr next);
    /// No other follows.
    void close_range();

    void fill();
    taken take();
    void take_in_any_order();
    bool ended() const noexcept;
    bool cut() const noexcept;
    void wait(waiter&);
    void complete_soon(waiter&);
    void stop_waiting(const waiter*) noexcept;
    bool block();
    void cancel(withdrawal) noexcept;
    void close(withdrawal) noexcept;

    const asio::any_io_executor& io_executor() const noexcept { return reader_.io_executor(); }

private:
    /// Hears that a task is done.
    struct watch final : waiter {
        stream_core* core = nullptr;
        std::uint32_t task = 0;
        std::shared_ptr<stream_core> keep; ///< while it waits

        void complete(job_ptr job) override;
        void abandon() noexcept override;
        bool is_internal() const noexcept override { return true; }
    };

    /// A task on its way. It keeps its place while it waits.
    struct entry {
        watch done;
        job_ptr job;
        std::size_t elements = 1;
        bool at_home = true; ///< its handlers run where ours do
    };

    std::unique_ptr<task_source> borrow_source();
    bool add(const pulled&, std::unique_ptr<task_source>& borrowed);
    void add_locked(const pulled&);
    void on_done(std::uint32_t task, bool loop_is_gone);
    std::vector<job_ptr> unfinished() const;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    streams::window window_;
    std::deque<entry> entries_;           // by the window's number
    std::unique_ptr<task_source> source_; // until the range has ended; null, too, while it is used
    pending_reader reader_;
    bool foreign_ = false; // some task lives on another loop
    bool cut_ = false;     // before the range had ended
    withdrawal cut_how_ = withdrawal::total;
};

} // namespace coproc::detail
