#pragma once

#include "pool/pool.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// A world for the pool to live in: worker processes with their shared pages, pipes and reply rings,
// users who submit and cancel, and a clock, all in memory and all driven from one seed. It performs
// the pool's actions as a driver would, and after each event compares the pool with what it knows
// itself.
namespace coproc::test {

/// The pool did what it must not do.
struct violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A task as the world sees it: what its function does, and what has happened to it.
struct sim_task : pool::task {
    enum class place { nowhere, queued, staged, done };

    std::uint64_t id = 0;
    bool hangs = false;         ///< the function ends only when it is asked to stop
    bool obeys_stop = false;    ///< ... and then only if this is true
    bool is_stuck = false;      ///< its result is being encoded for ever
    bool kills_readers = false; ///< workers die when they are to begin it
    unsigned killed_readers = 0;
    unsigned unseen_kills = 0; ///< of these, those that it may not be accused of
    bool had_worker = false;
    unsigned elements = 1; ///< more: it is a chunk
    unsigned at = 0;       ///< the element that runs, or is to run next
    unsigned losses = 0;   ///< workers that died and cost it an element, not its end
    unsigned allowed = 0;  ///< how often it may be run again
    unsigned begun = 0;
    unsigned finished = 0;
    bool answered = false; ///< the pool was given its reply
    bool given_up = false; ///< completed while it ran
    std::optional<pool::cancel_type> cancelled;
    pool::time_point staged_at = pool::never; ///< while it is staged
    errc code{};
    coproc::certainty how_certain{};
    place where = place::nowhere;
    place told = place::nowhere; ///< as the pool's events have it

    /// How often it has begun and has been begun for nothing.
    unsigned ended_runs() const { return deaths + losses; }
    bool has_rest() const { return at + 1 < elements; }
};

/// Somebody who waits for workers.
struct sim_warm_up : pool::task {
    std::uint64_t id = 0;
    std::size_t count = 0;
    bool cancelled = false;
    bool over = false;
};

/// What lies in one slot of a shared page, and whether the pool may still ask about it.
struct sim_slot {
    pool::slot_state state = pool::slot_state::offered;
    sim_task* subject = nullptr;
    bool settled = false;
    bool recalling = false;
    bool disowned = false; ///< its task is run again elsewhere

    /// As a driver says it.
    pool::slot_state told() const;
};

/// An answer to `recall` on its way to the pool.
struct sim_answer {
    std::uint64_t sequence;
    pool::slot_state state;
};

/// A worker process, and what the pool has been told of it.
struct sim_process {
    enum class life { none, unstartable, starting, running, in_handler, dead };

    life now = life::none;
    bool launched = false;   ///< the pool was told that there is a process
    bool silent = false;     ///< its hello never comes
    bool ready = false;      ///< the pool has its hello
    bool refused = false;    ///< its start failed while the pool's actions were performed
    bool exit_asked = false; ///< by the pool
    bool killed = false;     ///< by the pool
    bool crash_told = false; ///< to the pool
    bool found_dead = false; ///< the pool was told, when it had given a task to it
    bool exceeded = false;   ///< then: because it took too much memory
    std::optional<std::uint64_t> cleans_after; ///< it was asked to clean up before this task
    bool cleaned = false;                      ///< it has done that, and the pool was not told
    bool cleans_for_ever = false;
    bool unwanted = false; ///< it was starting when the pool was made smaller
    bool seen_leaving = false;
    std::uint32_t number = 0; ///< the slot that the pool gave it
    unsigned begun = 0;       ///< tasks
    std::uint64_t claimed = 0;
    std::optional<std::uint64_t> running;
    bool returned = false; ///< the running function has ended, its reply is not published
    std::optional<std::uint64_t> retires_with; ///< the task that asked for it: it begins no more
    std::optional<std::uint64_t> stop_word;
    std::vector<sim_slot> slots; ///< by sequence number
    std::deque<std::uint64_t> ring;
    std::vector<sim_answer> answers;

    bool exists() const { return now != life::none; }
    bool is_cleaning() const {
        return now == life::running && !running && cleans_after && !cleaned &&
               claimed == *cleans_after;
    }
    bool stopping() const {
        return exists() && ready && (exit_asked || killed || crash_told || found_dead);
    }
    bool takes_tasks() const { return exists() && ready && !stopping(); }
    std::size_t unsettled() const;
    std::uint64_t oldest_unsettled() const;
};

/// A worker as the pool's events have it.
struct sim_told_worker {
    std::optional<std::uint32_t> slot;
    bool started = false;
    bool ready = false;
    bool exit_asked = false; ///< which is no event
    bool crashed = false;
    bool ended = false;
};

class world {
public:
    world(std::uint64_t seed, bool traced);

    /// Lets `steps` things happen at random.
    void live(std::size_t steps);
    /// No more accidents; lets everything happen that must, and checks that nothing is left.
    void settle();
    /// Shuts the pool down if that has not been done, and checks that nothing is left at all.
    void end();

    /// How many events there were.
    std::size_t events() const { return events_; }
    const std::vector<std::string>& trace() const { return trace_; }

private:
    // world: what happens
    bool happen();
    void submit();
    void cancel_some();
    void shut_down(pool::shutdown_mode);
    void pass_time();
    void tick();
    void work(std::uint32_t index);
    void drain(std::uint32_t index, std::size_t at_most);
    void die(std::uint32_t index);
    void reap(std::uint32_t index);
    void crash(std::uint32_t index, bool handler);
    void exceed(std::uint32_t index);
    void ask_to_clean_up(std::uint32_t index);
    void tell_cleaned(std::uint32_t index);
    void lie(std::uint32_t index);
    void answer(std::uint32_t index, std::size_t which);
    bool can_go_on(const sim_process&) const;
    bool progress(bool end_hanging, pool::time_point until);

    // sizes: what happens
    void resize();
    void warm_up();
    void cancel_warm_up();
    void retire(std::uint32_t index);

    // the driver's part
    void perform();
    void perform(const pool::action&);
    void start(const pool::action&);
    void launch(std::uint32_t index);
    void stage(const pool::action&);
    void recall(const pool::action&);
    void deliver(std::uint32_t index, sim_answer);
    void kill(const pool::action&);
    void complete(const pool::action&);
    void lose(const pool::action&);
    void warmed(const pool::action&);

    // events: what is told of it
    void listen();
    void hear_of_task(const pool::event&, sim_task&);
    void hear_of_worker(const pool::event&);
    void check_told();
    void check_force() const;

    // what must hold
    void check();
    void check_counts() const;
    void check_workers() const;
    void check_nobody_waits_in_vain() const;
    void check_overtaking(const sim_task&) const;
    void check_truth(const sim_task&, const pool::action&) const;
    void check_reason(const sim_task&, const pool::action&) const;
    void check_kill(std::uint32_t index) const;
    void check_nothing_is_overdue() const;
    void check_rest() const;
    void check_sizes();
    void check_slots() const;
    void check_growth(std::size_t members) const;
    void check_succession();
    void check_no_respawn_loop(std::uint64_t started, pool::duration) const;
    bool is_member(std::uint32_t index) const;
    bool is_blocked(std::uint32_t index) const;
    std::size_t members() const;
    bool someone_watches() const { return watched_ || pool_.needs_attention(); }
    void require(bool, const char* what) const;

    std::uint64_t any(std::uint64_t below);
    bool chance(unsigned per_mille);
    std::optional<std::uint32_t> some_process();
    template <class... Parts>
    void note(const Parts&...);

    std::mt19937_64 random_;
    bool traced_;
    bool late_answers_;          ///< answers to `recall` come later and in any order
    bool accidents_ = true;      ///< processes fail
    unsigned death_;             ///< how often, per mille
    unsigned start_failure_;     ///< of a start, per mille
    unsigned silence_;           ///< of a start, per mille
    unsigned shutdown_;          ///< per mille
    unsigned hanging_;           ///< of tasks, per mille
    unsigned chunks_;            ///< of tasks, per mille
    unsigned submission_;        ///< per mille
    unsigned priorities_;        ///< of tasks, per mille
    unsigned sizes_;             ///< how often something about sizes happens, per mille
    bool watched_;               ///< the pool gets its ticks also when it does not need them
    pool::limits limits_;        ///< with max_workers as it is now
    std::uint32_t most_workers_; ///< the greatest that max_workers ever was
    std::vector<std::unique_ptr<sim_task>> tasks_; // they outlive the pool, which may know them
    std::vector<std::unique_ptr<sim_warm_up>> warm_ups_;
    pool::pool pool_;
    pool::time_point now_{};
    pool::actions out_;
    std::vector<sim_process> processes_;
    std::vector<sim_task*> open_; ///< accepted and not completed
    pool::counts expected_;       ///< only what is counted up
    bool asked_ = false;          ///< something was submitted or to be warmed up
    bool start_failed_ = false;   ///< ever, or a worker died unused
    unsigned shutdowns_completed_ = 0;
    std::size_t killed_in_shutdown_ = 0;
    pool::counts told_; ///< as the pool's events have it
    std::size_t told_size_;
    std::map<std::uint64_t, sim_told_worker> told_workers_;
    std::size_t events_ = 0;
    std::vector<std::string> trace_;
};

template <class... Parts>
void world::note(const Parts&... parts) {
    if (traced_) {
        std::ostringstream line;
        line << now_.time_since_epoch() / std::chrono::milliseconds(1) << " ms: ";
        (line << ... << parts);
        trace_.push_back(line.str());
    }
}

} // namespace coproc::test
