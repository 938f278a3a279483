#pragma once

#include "pool/action.hpp"
#include "pool/event.hpp"
#include "pool/restart_policy.hpp"
#include "pool/task_queue.hpp"
#include "pool/worker.hpp"

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

// The machine that decides everything: which task goes to which worker, when workers start and end,
// what a death means, and that each task completes exactly once. Events in, actions out; time is an
// argument. Not thread-safe: the driver holds its mutex.
namespace coproc::pool {

struct limits {
    /// Members at a time: workers that are starting or take tasks, and not to be replaced. `resize`
    /// changes it. What is on its way out (retired, given up, asked to exit, killed) is not
    /// counted; but of two workers with one slot never both have tasks.
    std::size_t max_workers = 1;
    /// So many members are kept, from the first `submit` or `warm_up` on.
    std::size_t min_workers = 0;
    /// A member above `min_workers` that had no task for so long is asked to exit.
    duration idle_timeout = no_limit;
    /// A worker that was given so many tasks gets no more and is replaced; 0: no limit.
    std::uint32_t max_tasks = 0;
    /// A worker that has been ready for so long is replaced.
    duration max_age = no_limit;
    /// Tasks that wait for a worker; beyond it `submit` refuses.
    std::size_t max_queued = static_cast<std::size_t>(-1);
    /// Most tasks in one worker's pipe: the number of slots of its shared page.
    std::uint32_t max_window = 1024;
    /// A pipe's window is twice what its worker ends in this time.
    duration window_period = std::chrono::microseconds(200);
    /// A worker that has not answered for so long is in a long task: nothing further is put behind
    /// it, and what lies there goes to others that have room.
    duration stall_period = std::chrono::milliseconds(1);
    /// After a task has overtaken others, for so long nothing is put into a pipe that has a task:
    /// more of its kind may come, and should not wait behind what lies there.
    duration overtaking_period = std::chrono::milliseconds(10);
    /// A pipe that holds this many bytes gets no further task.
    std::size_t max_pipe_bytes = 256 * 1024;
    unsigned max_failed_starts = 5;
    /// Workers are listened to also while nothing waits for them.
    bool watch_idle = false;
    /// From the start of a process to its hello.
    duration start_timeout = std::chrono::seconds(30);
    /// From its hello until it is ready, if it has something to do before.
    duration initializer_timeout = std::chrono::minutes(5);
    /// From the request to leave to SIGKILL; also how long a worker may clean up.
    duration exit_timeout = std::chrono::seconds(5);
    /// From a crash record to SIGKILL, if the worker's fatal-signal handler does not end it.
    duration crash_timeout = std::chrono::seconds(2);
    /// More grace for a given-up task that has returned and whose result is being encoded.
    duration encode_grace = std::chrono::milliseconds(100);
};

/// How strongly a task is cancelled: Asio's three words.
enum class cancel_type : std::uint8_t { total, partial, terminal };

/// How strongly the pool is shut down; a later call may only make it stricter.
enum class shutdown_mode : std::uint8_t { none, drain, cancel_queued, kill, stop };

/// What a slot of the shared page says of a task (lib/memory/claims.hpp has the protocol).
enum class slot_state : std::uint8_t {
    recalled,
    offered,
    begun,
    finished,
    begun_in_part, ///< of a chunk: what its worker had not come to can be given to another one. As
                   ///< long as the worker is not certainly dead: begun, and it may leave a rest
};

struct counts {
    std::size_t queued = 0; ///< tasks that no worker has seen
    std::size_t staged = 0; ///< tasks in workers' pipes, not completed
    std::size_t starting = 0;
    std::size_t idle = 0;
    std::size_t busy = 0;
    std::size_t leaving = 0; ///< finish what they hold, then exit
    std::size_t stopping = 0;
    std::uint64_t submitted = 0; ///< since the beginning
    std::uint64_t completed = 0;
    std::uint64_t started_workers = 0;
    std::uint64_t crashed_workers = 0; ///< ended without having been told to

    friend bool operator==(const counts&, const counts&) = default;
};

/// What a shutdown has taken from those who wait.
struct forced {
    std::size_t cancelled = 0;      ///< tasks that failed with errc::executor_shutdown
    std::size_t lost = 0;           ///< of these, those that had begun
    std::size_t killed_workers = 0; ///< workers that did not leave by themselves

    friend bool operator==(const forced&, const forced&) = default;
};

class pool {
public:
    /// `max_workers` and `max_queued` are at least 1, `max_window` at least 2.
    explicit pool(limits);

    pool(const pool&) = delete;
    pool& operator=(const pool&) = delete;

    // ---- what callers do. Each event appends its actions to `out`.

    enum class admission { accepted, queue_full, broken, shut_down };
    /// Queues the task; refused, it is not touched, and neither if std::bad_alloc is thrown.
    [[nodiscard]] admission submit(task&, time_point now, actions& out);
    /// Does nothing to a task that is done.
    void cancel(task&, cancel_type, time_point now, actions& out);
    void shut_down(shutdown_mode, time_point now, actions& out);
    /// From now on so many workers, at least 1. Surplus ones are those with the highest slots: they
    /// finish the task that they have begun, and exit.
    void resize(std::size_t max_workers, time_point now, actions& out);
    /// Starts what is missing for `count` ready members, or for `max_workers` if that is less;
    /// answered by `warmed`. `request` has no other use, and is not counted as a task.
    [[nodiscard]] admission warm_up(task& request, std::size_t count, time_point now, actions& out);
    /// This worker is to be replaced: its successor is started first, if one is needed; when that
    /// is ready, or at once, it takes no more tasks, finishes the one that it has begun, and exits.
    /// If it was asked for: at once.
    void retire(std::uint32_t worker, retire_reason, time_point now, actions& out);

    // ---- what workers do

    /// There is a process, whose time for its hello begins; what follows is `ready`, or `exited`.
    void started(std::uint32_t worker, time_point now);
    /// There is no process; `code` tells why.
    void start_failed(std::uint32_t worker, errc code, time_point now, actions& out);
    /// There is no process, and `start_failed` of another worker, which follows, tells why: it is
    /// as if this one had not been asked for.
    void start_withdrawn(std::uint32_t worker);
    /// Its hello was accepted, but it is not ready for tasks yet.
    void greeted(std::uint32_t worker, time_point now);
    /// It is ready for tasks.
    void ready(std::uint32_t worker, time_point now, actions& out);
    /// Who waits for the answer to this task; null: nobody, or no such task.
    task* owner(std::uint32_t worker, std::uint64_t sequence);
    /// Whether the worker was given this task and has not answered it, given up or not.
    bool has(std::uint32_t worker, std::uint64_t sequence);
    /// The worker answered. False: it was never asked, which no honest worker does.
    [[nodiscard]] bool replied(std::uint32_t worker, std::uint64_t sequence, actions& out);
    /// All answers that were there have been passed to `replied`, `replies` in number.
    void drained(std::uint32_t worker, std::size_t replies, time_point now, actions& out);
    /// The answer to `recall`, read from the slot.
    void recalled(std::uint32_t worker, std::uint64_t sequence, slot_state, time_point now,
                  actions& out);
    /// The worker is in its fatal-signal handler, or broke the protocol: it gets no further task
    /// and what it has not begun is taken back. `handler`: give it time to write its crash report,
    /// else kill it now.
    void crashed(std::uint32_t worker, bool handler, time_point now, actions& out);
    /// It takes more memory than it may: it is killed now, and the task that it runs is told
    /// errc::out_of_memory. What it has not begun is taken back.
    void exceeded(std::uint32_t worker, time_point now, actions& out);
    /// It was asked to clean up after the tasks that it has. One that does not end that in
    /// `exit_timeout`, counted from the end of these, is killed; no task is lost.
    void cleaning(std::uint32_t worker, time_point now);
    /// It has done so.
    void cleaned(std::uint32_t worker);
    /// Somebody looks at workers again, before a task or a request for workers comes: nobody
    /// listened to workers that start or clean up while there was nothing to do, so their time
    /// starts again.
    void listen_again(time_point now);
    /// It does not run any more, though what it wrote may not have been passed on: it gets no
    /// further task. `exited` follows.
    void died(std::uint32_t worker);
    /// Likewise, and it had ended before it was given what lies in its pipe: that says nothing of
    /// these tasks, nor of workers that are started now.
    void found_dead(std::uint32_t worker, time_point now, actions& out);
    /// The process is reaped and everything it wrote has been passed on; or it was killed before it
    /// was started. `look` reads a slot, `code` is for the tasks that it may have run.
    template <class Look>
    void exited(std::uint32_t worker, errc code, Look look, time_point now, actions& out) {
        verdicts_.clear();
        for (std::uint64_t s = workers_[worker].tasks.first(); s != workers_[worker].tasks.next();
             ++s) {
            verdicts_.push_back(workers_[worker].tasks.find(s) != nullptr ? look(s)
                                                                          : slot_state::recalled);
        }
        judge(worker, code, now, out);
    }

    // ---- time

    /// When `tick` must be called next.
    time_point next_tick() const;
    void tick(time_point now, actions& out);

    // ---- what the driver and users may know

    /// From now on events are recorded.
    void observe() { observed_ = true; }
    /// What has happened since it was last emptied; a `subject` is as its last action leaves it.
    events& news() { return events_; }
    counts look() const;
    /// What the shutdown has done until now.
    const forced& used_force() const { return forced_; }
    const worker& worker_at(std::uint32_t index) const { return workers_[index]; }
    /// Tasks that are not completed.
    std::size_t unfinished() const { return queue_.size() + staged_; }
    /// Whether something must still happen by itself: unfinished tasks and warm-ups, given-up tasks
    /// whose grace runs, workers on their way out or being replaced, a shutdown in progress. While
    /// false the pool needs neither time nor news; with them it would keep `min_workers`,
    /// `idle_timeout` and `max_age` all the same.
    bool needs_attention() const;
    bool broken() const { return broken_; }
    std::size_t max_workers() const { return limits_.max_workers; }
    shutdown_mode shutting_down() const { return shutdown_; }

private:
    struct by_expiry {
        bool operator()(const task& a, const task& b) const { return a.expiry < b.expiry; }
    };
    using expiries = boost::intrusive::multiset<task, boost::intrusive::base_hook<expiry_hook>,
                                                boost::intrusive::compare<by_expiry>,
                                                boost::intrusive::constant_time_size<false>>;

    // scheduling.cpp
    void schedule(time_point now, actions& out);
    worker* best_worker_for(const task&, time_point now);
    bool has_room(const worker&, const task&, time_point now) const;
    bool is_stalled(const worker&, time_point now) const;
    bool release_stuck(const task& next, const worker& chosen, time_point now, actions& out);
    void overtake(const task&, time_point now, actions& out);
    void stage(worker&, task&, time_point now, actions& out);
    void feed_idle(time_point now, actions& out);
    void take_from(worker& victim, std::size_t count, actions& out);
    struct demand {
        std::size_t members = 0;
        std::size_t free = 0; ///< of these: starting, or without a task
        std::size_t starting = 0;
        std::size_t wanted = 0;
    };
    demand look_at_demand() const;
    void start_workers(time_point now, actions& out);
    static std::size_t movable(worker&);
    worker* idle_worker();
    void start_worker(time_point now, actions& out);
    std::uint32_t free_entry();
    std::uint32_t free_slot();

    // sizes.cpp
    void make_idle(worker&);
    void make_busy(worker&);
    void stop_serving(worker&);
    bool is_blocked(const worker&) const;
    bool has_member(std::uint32_t slot) const;
    std::size_t members() const;
    std::size_t floor() const;
    void set_retired(worker&, retire_reason);
    void retire_at_once(worker&, time_point now, actions&);
    void begin_retiring(worker&, retire_reason, time_point now, actions& out);
    void begin_leaving(worker&, retire_reason, time_point now, actions& out);
    void let_go(worker&, time_point now, actions& out);
    void pardon(worker&);
    void taken_from(worker&);
    void dismiss(worker&, time_point now, actions& out);
    void succeed(const worker&, time_point now, actions& out);
    bool awaits_start(const worker&) const;
    void release_retired(time_point now, actions& out);
    void time_out_idle(time_point now, actions& out);
    time_point next_idle_timeout() const;
    std::size_t to_spare() const;
    void answer_warm_ups(actions& out);
    void fail_warm_ups(errc, actions& out);
    void end_warm_up(task&, errc, actions& out);

    // completion.cpp
    void make_room_for_submit(std::size_t max_workers, actions& out);
    void complete(task&, errc, certainty, actions& out);
    void settle(worker&, std::uint64_t sequence);
    void follow(worker&, std::size_t replies, time_point now);
    void note_work(worker&);
    void note_begun(worker&, std::uint64_t sequence);
    void set_kill_at(worker&, pipe_entry&, time_point);
    void count_failure(task&, errc, certainty&);
    void requeue(task&, queue_reason, actions& out);
    bool run_again(task&, actions& out);
    void ask_back(worker&, std::uint64_t sequence, recall_reason, actions& out);
    void ask_all_back(worker&, recall_reason, actions& out);
    void taken_back(task&, recall_reason, actions& out);
    void overtaken(worker&, std::uint64_t sequence, recall_reason, slot_state, time_point now,
                   actions& out);
    void give_up(worker&, std::uint64_t sequence, errc, slot_state, time_point now, actions& out);
    void set_expiry(task&, time_point);
    void expire(task&, actions& out);

    // lifecycle.cpp
    void judge(std::uint32_t worker, errc, time_point now, actions& out);
    task* next_to_begin(worker&);
    bool is_culprit(worker&, task& next);
    void judge_entry(worker&, std::uint64_t sequence, errc, slot_state, const task* culprit,
                     actions& out);
    bool ending() const { return shutdown_ != shutdown_mode::none && unfinished() == 0; }
    bool is_being_replaced() const;
    void failed_start(errc, time_point started, time_point now, actions& out);
    void fail_queued(errc, actions& out);
    void overdue(worker&, time_point now, actions& out);
    void condemn(worker&, actions& out);
    void execute_or_pardon(worker&, time_point now, actions& out);
    void give_up_worker(worker&, errc, time_point now, actions& out);
    void watch_cleaning(worker&, time_point now);
    static void end_cleaning(worker&);
    void kill(worker&, actions& out);
    void ask_to_exit(worker&, time_point now, actions& out);
    void continue_shutdown(time_point now, actions& out);
    std::uint32_t index_of(const worker& w) const {
        return static_cast<std::uint32_t>(&w - workers_.data());
    }

    // events.cpp. A look at a flag, unless somebody observes.
    void crashed_now(worker&);
    void tell(event_kind kind, const worker& w) {
        if (observed_) [[unlikely]] {
            record(kind, w);
        }
    }
    void tell_queued(task& t, queue_reason why) {
        if (observed_) [[unlikely]] {
            events_.push_back({.kind = event_kind::queued, .queued = why, .subject = &t});
        }
    }
    void tell_staged(task& t, const worker& w) {
        if (observed_) [[unlikely]] {
            record(event_kind::staged, w).subject = &t;
        }
    }
    void tell_done(task& t, errc code, certainty how_certain) {
        if (observed_) [[unlikely]] {
            record_done(t, code, how_certain);
        }
    }
    event& record(event_kind, const worker&);
    void record_done(task&, errc, certainty);

    limits limits_;
    restart_policy restarts_;
    task_queue queue_;
    expiries expiries_;
    std::vector<worker> workers_;
    // Ready members without a task, and those that await a successor. The last one had a task
    // last, and gets the next, so that those to spare stay idle.
    std::vector<std::uint32_t> idle_;
    std::size_t retiring_ = 0; // workers that await a successor
    std::size_t leaving_ = 0;  // workers that leave when they have no task left
    boost::intrusive::list<task, boost::intrusive::base_hook<list_hook>> warm_ups_;
    bool awake_ = false; // min_workers counts
    std::vector<slot_state> verdicts_;
    /// Who has a slot.
    struct seat {
        bool member = false;
        bool awaited = false; ///< the successor of one that works on
        bool left = false;    ///< by one that ends its last tasks
    };
    std::vector<seat> seats_; // while a free slot is looked for
    std::size_t staged_ = 0;  // tasks with an owner in some pipe
    // No task in a pipe has a lower priority; it may be lower than that of each.
    int lowest_staged_ = std::numeric_limits<int>::max();
    time_point overtaking_until_ = time_point::min();
    shutdown_mode shutdown_ = shutdown_mode::none;
    bool shutdown_reported_ = false;
    bool broken_ = false;
    bool start_delayed_ = false; // a start waits for restarts_.next_start()
    bool observed_ = false;
    events events_;
    forced forced_;
    std::uint64_t submitted_ = 0;
    std::uint64_t completed_ = 0;
    std::uint64_t started_workers_ = 0;
    std::uint64_t crashed_workers_ = 0;
};

} // namespace coproc::pool
