#pragma once

#include "coproc/error.hpp"
#include "coproc/retire_reason.hpp"
#include "pool/task.hpp"

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <new>

// One worker as the pool sees it: its state and the tasks that lie in its pipe.
namespace coproc::pool {

enum class worker_state : std::uint8_t {
    exited,   ///< no process; the entry is free
    starting, ///< a process was asked for; it is not ready yet
    idle,     ///< ready, nothing in its pipe
    busy,     ///< ready, at least one task in its pipe
    stopping, ///< takes no more tasks: asked to leave, crashed or killed
};

/// Why the pool asked for a task to be taken back. When a second reason comes before the answer,
/// the later one in this list counts.
enum class recall_reason : std::uint8_t {
    none,
    move,     ///< another worker can run it sooner, or this one is about to be killed
    crash,    ///< the worker is in its fatal-signal handler, or broke the protocol
    withdraw, ///< total cancellation: if it runs, let it
    stop,     ///< partial cancellation: if it runs, it is asked to stop, no more
    shutdown, ///< the executor cancels what has not started
    abort,    ///< the executor gives up what runs, too
    cancel,   ///< terminal cancellation
    timeout,  ///< its deadline or its run time-out has passed
};

/// A task in a worker's pipe.
struct pipe_entry {
    task* owner = nullptr; ///< none: abandoned, its answer is swallowed
    std::size_t frame_bytes = 0;
    time_point kill_at = never;                 ///< abandoned while running: when the grace ends
    recall_reason recall = recall_reason::none; ///< a recall has been asked for and not answered
    bool returned = false; ///< abandoned: its function has ended, its result is being encoded
    bool settled = false;  ///< answered, recalled or judged
};

/// The unsettled tasks of a worker by their sequence numbers: a ring that grows, since numbers only
/// go up.
class pipe {
public:
    std::uint64_t first() const { return first_; }
    std::uint64_t next() const { return next_; }
    std::size_t span() const { return next_ - first_; }
    std::size_t unsettled() const { return unsettled_; }
    /// What the frames take that the worker may not have read: also those of tasks that were taken
    /// back.
    std::size_t bytes() const { return bytes_; }
    bool empty() const { return unsettled_ == 0; }
    /// Who waits for the oldest task, if there is one.
    const task* first_owner() const {
        return empty() ? nullptr : ring_[first_ & (ring_.size() - 1)].owner;
    }

    /// The entry of a task that is still unsettled, or null.
    pipe_entry* find(std::uint64_t sequence) {
        if (sequence < first_ || sequence >= next_) {
            return nullptr;
        }
        pipe_entry& found = at(sequence);
        return found.settled ? nullptr : &found;
    }

    /// Room for one more; false: there is no memory for it. An empty pipe always has room.
    bool make_room() noexcept {
        try {
            if (span() == ring_.size()) {
                grow();
            }
            return true;
        } catch (const std::bad_alloc&) {
            return false;
        }
    }

    /// After make_room().
    std::uint64_t push(task& owner) {
        const std::uint64_t sequence = next_++;
        at(sequence) = {.owner = &owner, .frame_bytes = owner.frame_bytes};
        ++unsettled_;
        bytes_ += owner.frame_bytes;
        return sequence;
    }

    void settle(std::uint64_t sequence) {
        pipe_entry& entry = at(sequence);
        entry.settled = true;
        entry.owner = nullptr;
        --unsettled_;
        while (first_ != next_ && at(first_).settled) {
            bytes_ -= at(first_).frame_bytes;
            ++first_;
        }
    }

    /// When the first grace ends, of the tasks that were given up while they ran.
    time_point next_kill() const {
        time_point next = never;
        for (std::uint64_t s = first_; s != next_; ++s) {
            const pipe_entry& entry = ring_[s & (ring_.size() - 1)];
            if (!entry.settled && entry.kill_at < next) {
                next = entry.kill_at;
            }
        }
        return next;
    }

private:
    using ring = boost::container::small_vector<pipe_entry, 8>;

    pipe_entry& at(std::uint64_t sequence) { return ring_[sequence & (ring_.size() - 1)]; }

    void grow() {
        ring larger(2 * ring_.size());
        for (std::uint64_t s = first_; s != next_; ++s) {
            larger[s & (larger.size() - 1)] = at(s);
        }
        ring_.swap(larger);
    }

    ring ring_ = ring(8); // its size is a power of two
    std::uint64_t first_ = 0;
    std::uint64_t next_ = 0;
    std::size_t unsettled_ = 0;
    std::size_t bytes_ = 0;
};

struct worker {
    worker_state state = worker_state::exited;
    bool killed = false;    ///< SIGKILL was asked for
    bool condemned = false; ///< is killed once all its other tasks are taken back
    bool dismissed = false; ///< it was told to end, for no fault of its own
    bool leaving = false;   ///< takes no more tasks, and is asked to exit when it has none
    retire_reason retired = retire_reason::none; ///< why it shall go, once its successor is ready
    bool launched = false;                       ///< there is a process
    bool greeted = false;                        ///< it has said hello
    std::uint64_t number = 0;                    ///< among all workers of the pool, from 1
    time_point started{};                        ///< when its process was asked for
    std::uint32_t slot = 0;      ///< its stable number for users; free again once it is stopping
    std::uint32_t given = 0;     ///< tasks that it was given and that were not taken back
    std::uint32_t window = 2;    ///< how many tasks its pipe may hold
    std::uint32_t ended = 0;     ///< tasks answered since `since`
    time_point since{};          ///< beginning of the period in which its speed is measured
    time_point progress{};       ///< when it last answered, was given a task while it had none, or
                                 ///< lost its last one
    std::uint32_t owned = 0;     ///< tasks in its pipe that somebody waits for
    std::uint32_t recalls = 0;   ///< unanswered recalls
    std::uint32_t abandoned = 0; ///< unsettled tasks whose worker is killed when their grace ends
    bool worked = false;         ///< it has begun a task at least once
    bool explained = false;      ///< its end is taken for the fault of the task that was its next
    bool found_dead = false;     ///< it had ended before it was given what lies in its pipe
    std::uint64_t begun = 0;     ///< tasks below this number are known to have begun
    time_point limit = never;    ///< starting: must be ready; stopping: must be gone
    time_point old_at = never;   ///< when it has reached the maximal age
    bool cleaning = false;       ///< it was asked to clean up, and is not known to have done so
    std::uint64_t clean_after = 0;  ///< then: it does so when the tasks below this number are over
    time_point clean_limit = never; ///< then: must have done so
    errc end = errc::worker_terminated; ///< what a task is told that we end together with it
    pipe tasks;

    /// It has said so, and nothing tells that it ends.
    bool is_ready() const { return state == worker_state::idle || state == worker_state::busy; }
    bool takes_tasks() const { return is_ready() && !condemned && !leaving; }
    /// What waits in its pipe may be moved to another worker.
    bool gives_tasks() const { return is_ready() && !condemned; }
    /// It is to be replaced, and works on until its successor is ready.
    bool awaits_successor() const {
        return is_ready() && retired != retire_reason::none && !leaving;
    }
    /// One of those that `max_workers` bounds. Others are on their way out.
    bool is_member() const {
        return state == worker_state::starting
                   ? !dismissed
                   : is_ready() && !leaving && retired == retire_reason::none;
    }

    /// From this number on tasks may be moved to another worker: the oldest is about to begin here,
    /// if it has not begun already.
    std::uint64_t first_movable() const { return std::max(tasks.first() + 1, begun); }
};

} // namespace coproc::pool
