#pragma once

#include "coproc/executor.hpp"
#include "driver/event_queue.hpp"
#include "driver/job_core.hpp"
#include "driver/ready_queue.hpp"
#include "driver/worker_link.hpp"
#include "driver/zygote_link.hpp"
#include "memory/chunk_step.hpp"
#include "pool/pool.hpp"
#include "process/oom_kills.hpp"
#include "reuse/decision.hpp"

#include <asio/steady_timer.hpp>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace coproc::detail {

class executor_list;
class executor_service;
class own_loop;

/// Does what the pool decides: the executor behind its handle. It is shared by the handle, by jobs
/// and by the operations on its way, and outlives all of them.
///
/// One mutex guards everything but the constants. Under it run the pool's decisions and system
/// calls that do not block, and no code of users: what they wait for is collected in `ready_` and
/// called by run_ready(), which is last in each of our completion handlers.
class executor_impl : public std::enable_shared_from_this<executor_impl> {
public:
    executor_impl(asio::any_io_executor io, executor_options options,
                  std::shared_ptr<own_loop> loop);
    ~executor_impl();

    /// After construction: the loop's end will stop it.
    void enlist();

    // ---- from any thread

    /// `elements`: those of a chunk; 0: it is none.
    job_ptr submit(encoder& arguments, luggage_ptr luggage, const task_options&, const target&,
                   std::size_t elements);
    job_ptr refuse(const task_options&, const target&, errc, std::string cause);
    void withdraw(job_core&, withdrawal) noexcept;
    /// Nobody waits for it: its failure goes to the observer.
    void detach(job_core&);
    void add_waiter(job_core&, waiter&);
    void stop_waiting(job_core&, std::uint64_t ticket) noexcept;
    /// The waiter waits no more and is not completed. False: it is about to be, or was.
    [[nodiscard]] bool remove_waiter(job_core&, const waiter&) noexcept;
    /// The waiter is completed from the loop, without a job.
    void complete_soon(waiter&);
    job_state state_of(job_core&) noexcept;
    void resize(std::size_t max_workers);
    job_ptr warm_up(std::size_t workers);
    job_ptr begin_shutdown(const shutdown_options&);
    executor_stats stats() const;
    /// As it is now.
    std::size_t max_workers() const;
    void stop() noexcept;
    /// stop() by the last handle: an own loop ends, too. One thread.
    void end() noexcept;
    /// A drain, then end(): what the last handle of a reusable executor does. Does not wait.
    void end_when_done() noexcept;
    /// Memory of arrays was closed: its workers are to let go of it.
    void forget_extents() noexcept;
    /// What the registry of reusable executors must know.
    std::pair<reuse::state, std::size_t> look_for_reuse() const;

    const asio::any_io_executor& io_executor() const noexcept { return io_; }
    const executor_options& options() const noexcept { return options_; }
    const std::shared_ptr<own_loop>& loop() const noexcept { return loop_; }
    /// Whether this process is a forked child of the executor's.
    bool forked() const noexcept;

    /// The loop's execution context is being destroyed: everything that lives on it must go now,
    /// and nothing can be called any more.
    void loop_ends() noexcept;
    /// Holds nothing that needs the execution context any more. Under the mutex, or when nobody but
    /// the destructor has this.
    void leave_loop() noexcept;

private:
    using link_ptr = std::shared_ptr<worker_link>;
    using clock = std::chrono::steady_clock;

    // executor_impl.cpp
    job_ptr make_job(const task_options&, const target&, std::size_t argument_bytes);
    static void refuse(job_core&, errc, std::string cause);
    std::string describe_level() const;
    void arm_timer();
    void disarm_timer();
    void on_timer(std::uint64_t wait);

    // performing.cpp: the pool's actions
    void perform() noexcept;
    void forget_buried();
    void perform(const pool::action&);
    void stage(const pool::action&);
    void recall(const pool::action&);
    void kill(std::uint32_t worker);
    void complete(const pool::action&);
    void lose(const pool::action&);
    worker_link* who_ended(const pool::action&) noexcept;
    failure why_ended(const pool::action&, const job_core&, worker_link*);
    static memory::chunk_loss loss_of(const job_core&, const worker_link&,
                                      std::uint64_t sequence) noexcept;
    void finish(job_core&);
    void let_go_later(std::shared_ptr<const borrowed_arrays>) noexcept;
    void warmed(const pool::action&);
    std::string cause_of(const pool::action&, const worker_link*) const;
    void after_events() noexcept;
    bool needs_attention() const;
    void listen();
    void rest();

    // starting.cpp
    void spawn_later();
    void spawn_next();
    std::optional<std::uint64_t> count_oom_kills();
    void install(std::uint32_t worker, launched_worker made);
    void start_failed(std::uint32_t worker, std::string cause, errc code = errc::spawn_failed);
    void never_started(std::uint32_t worker);

    // zygote.cpp: workers that are forked
    void zygote_is_needed(clock::time_point now);
    void fork_next(std::uint32_t worker, std::uint32_t slot);
    void order_fork(std::uint32_t worker, std::variant<fork_parts, std::string> made);
    bool forget_order(std::uint32_t worker);
    void perform_zygote();
    void perform(const pool::zygote_action&);
    void start_zygote();
    void install_zygote(std::variant<launched_worker, std::string> made);
    void lose_zygote(errc, std::string cause);
    void preload();
    void request_fork(std::uint32_t worker);
    void write_to_zygote();

    // zygote_reports.cpp
    void listen_to_zygote();
    void on_zygote(const link_ptr&, const asio::error_code&, bool worker_link::*waits,
                   void (executor_impl::*what)(const link_ptr&));
    void stop_listening_to_zygote();
    void take_from_zygote(const link_ptr&);
    void take_zygote_frames(worker_link&);
    void take_zygote_report(worker_link&, const wire::report&);
    void take_hello_of_zygote(worker_link&, const wire::hello&);
    void take_preloaded(worker_link&, const wire::reply_header&);
    void take_forked(worker_link&, const wire::forked&);
    void take_in(process::child useless);
    void zygote_misbehaved(worker_link&, std::string how);

    // zygote_end.cpp
    void bury_zygote(const link_ptr&);
    std::string describe_end_of_zygote(const worker_link&, const process::exit_status&) const;
    void forget_zygote_link();
    bool zygote_ends() const noexcept;
    bool ask_zygote_to_end();
    void end_zygote() noexcept;
    void take_in_forked(worker_link&) noexcept;

    // talking.cpp: one worker's socket
    void flush();
    void write(std::uint32_t worker);
    /// Calls `again` with the mutex when there may be room for the rest.
    void wait_for_room(const link_ptr&, worker_link::written,
                       std::function<void(executor_impl&)> again);
    void tell_of_closed_extents();
    void read(std::uint32_t worker);
    void on_read(const link_ptr&, std::uint32_t worker, const asio::error_code&, std::size_t bytes);
    void look_again_later(std::uint32_t worker);
    void look_again(const link_ptr&, std::uint32_t worker);
    void take_all(worker_link&, std::uint32_t worker);

    // reports.cpp: what is in its frames
    void take_frames(worker_link&, std::uint32_t worker);
    void take_ring(worker_link&, std::uint32_t worker);
    void take_report(worker_link&, std::uint32_t worker, const wire::report&, const wire::frame&,
                     auto& source);
    void take_part(worker_link&, std::uint32_t worker, const wire::reply_header&,
                   const wire::frame&, auto& source);
    bool store_part(job_core&, worker_link&, const wire::frame&, auto& source);
    void take_progress(worker_link&, std::uint32_t worker, const wire::progress_header&,
                       const wire::frame&, auto& source);
    void store(job_core&, worker_link&, const wire::reply_header&, const wire::frame&,
               auto& source);
    void take_hello(worker_link&, std::uint32_t worker, const wire::hello&);
    std::string refuse_hello(const worker_link&, const wire::hello&) const;
    void initialize(worker_link&, std::uint32_t worker);
    void take_initialized(worker_link&, std::uint32_t worker, const wire::reply_header&);

    // memory_looks.cpp: whether it leaks
    void look_at_memory(worker_link&, std::uint32_t worker, clock::time_point now);
    void ask_to_clean_up(worker_link&, std::uint32_t worker, clock::time_point now);
    void take_cleaned(worker_link&, std::uint32_t worker, const wire::cleaned&);
    void retire_for_memory(link_ptr, std::uint32_t worker);
    void exceeded(worker_link&, std::uint32_t worker, clock::time_point now);
    static memory_report report_of(const worker_link&);
    void look_at_all(clock::time_point now);

    // deaths.cpp: how it ends
    void misbehaved(worker_link&, std::uint32_t worker, std::string how);
    void sent_too_much(worker_link&, std::uint32_t worker);
    void look_at_idle();
    void look_for_crash(worker_link&, std::uint32_t worker);
    void end_of_stream(worker_link&, std::uint32_t worker);
    void watch(std::uint32_t worker);
    void listen_to_output(const link_ptr&);
    void on_death(const link_ptr&, std::uint32_t worker, const asio::error_code&);
    void finish_death(worker_link&, std::uint32_t worker);
    void look_for_shortage(worker_link&);
    void take_rest(worker_link&, std::uint32_t worker);
    std::string describe_idle_death(worker_link&);
    void bury(worker_link&, std::uint32_t worker);
    pool::slot_state fate_of(worker_link&, std::uint32_t worker, std::uint64_t sequence);
    void exited(std::uint32_t worker, errc code);
    worker_link* link(std::uint32_t worker) noexcept {
        return worker < links_.size() ? links_[worker].get() : nullptr;
    }

    // completions.cpp
    using unused_arrays = std::vector<std::shared_ptr<const borrowed_arrays>>;
    void post_ready() noexcept;
    void run_ready();
    void let_go(unused_arrays&) noexcept;

    // observing.cpp
    void collect_events();
    void tell_events();
    void silence_observer() noexcept;
    event describe(const pool::event&, event_time);
    event describe_end(const pool::event&, event_time);
    event describe_retirement(const pool::event&, event_time at);
    observed_worker observed(const pool::event&) noexcept;

    // ending.cpp
    void end_everything(bool loop_is_gone) noexcept;
    void leave_alone() noexcept;
    job_ptr finished_shutdown();
    void finish_shutdown(job_core&);

    asio::any_io_executor io_;
    const executor_options options_;
    const std::shared_ptr<own_loop> loop_;
    const std::uint32_t fork_generation_;
    const pool::memory_limits memory_limits_;
    const unsigned depth_; // of the task that made this
    const std::size_t max_depth_;
    executor_service* service_; // null: the loop is gone
    const std::shared_ptr<executor_list> list_;
    std::atomic<std::uint64_t> next_id_{1};

    mutable std::mutex mutex_;
    pool::pool pool_;
    pool::actions actions_;             // being performed
    std::vector<link_ptr> links_;       // by the pool's number of the worker
    std::vector<std::uint32_t> buried_; // links that are of no use once the actions are performed
    std::vector<std::uint32_t> dirty_;  // links with frames to be written
    std::deque<std::uint32_t> to_start_;
    std::optional<zygote_link> zygote_; // of start_method::forkserver
    ready_queue ready_;
    unused_arrays unused_; // to be let go of without the mutex: that may unmap gigabytes
    event_queue events_;
    std::uint64_t closings_seen_ = 0;  // of extents
    std::string start_cause_;          // why the last start failed
    std::once_flag oom_counter_found_; // by the first start; constant then, and read without mutex
    process::oom_kill_counter oom_counter_;
    clock::time_point next_look_ = clock::time_point::min(); // at all workers' memory
    job_ptr shutdown_;
    clock::time_point shutdown_limit_ = clock::time_point::max();
    std::optional<asio::steady_timer> timer_; // gone with the loop
    clock::time_point timer_at_ = clock::time_point::max();
    std::uint64_t timer_wait_ = 0; // the number of the last one
    bool timer_set_ = false;
    bool spawn_posted_ = false;
    bool ready_posted_ = false;
    bool stopped_ = false;
};

/// An executor on a loop of its own; the loop is finished if there cannot be one.
std::shared_ptr<executor_impl> make_on_own_loop(const std::shared_ptr<own_loop>&, executor_options);

} // namespace coproc::detail
