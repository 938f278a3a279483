#include "pool/pool.hpp"

#include <algorithm>
#include <cassert>

// Which task goes to which worker, and when a worker is started.
namespace coproc::pool {

// Idle workers first, then pipes with room, so that the next task is there when one ends; a worker
// that falls idle takes back what waits behind others.
void pool::schedule(time_point now, actions& out) {
    while (!queue_.empty()) {
        task& next = queue_.front();
        worker* chosen = best_worker_for(next, now);
        if (chosen == nullptr || release_stuck(next, *chosen, now, out)) {
            break;
        }
        queue_.remove(next);
        stage(*chosen, next, now, out);
    }
    if (queue_.empty()) {
        feed_idle(now, out);
    }
    start_workers(now, out);
}

worker* pool::best_worker_for(const task& next, time_point now) {
    worker* best = nullptr;
    for (worker& w : workers_) {
        if (!has_room(w, next, now) || !w.tasks.make_room()) {
            continue;
        }
        if (w.tasks.empty()) {
            return &w;
        }
        if (best == nullptr || w.tasks.unsettled() < best->tasks.unsettled()) {
            best = &w;
        }
    }
    return best;
}

bool pool::has_room(const worker& w, const task& next, time_point now) const {
    if (!w.takes_tasks()) {
        return false;
    }
    if (w.tasks.empty()) {
        return true;
    }
    // The clock of a run time-out starts with the function, so such a task goes only where it
    // starts at once.
    return next.run_timeout == no_limit && w.tasks.unsettled() < w.window &&
           w.tasks.span() < limits_.max_window && w.tasks.bytes() < limits_.max_pipe_bytes &&
           now >= overtaking_until_ && !is_stalled(w, now);
}

bool pool::is_stalled(const worker& w, time_point now) const {
    return !w.tasks.empty() && now - w.progress >= limits_.stall_period;
}

// What waits behind a long task goes before `next`, to the worker that could have taken that. True:
// something was asked back, and when it is in the queue this goes on.
bool pool::release_stuck(const task& next, const worker& chosen, time_point now, actions& out) {
    if (workers_.size() == 1) {
        return false;
    }
    bool asked = false;
    for (worker& w : workers_) {
        const bool stuck = is_stalled(w, now) || (chosen.tasks.empty() && w.window <= 2);
        if (!stuck || !w.takes_tasks() || w.recalls > 0) {
            continue;
        }
        for (std::uint64_t s = w.tasks.next(); s-- > w.first_movable();) {
            const pipe_entry* const entry = w.tasks.find(s);
            if (entry != nullptr && entry->owner != nullptr && entry->owner->goes_before(next)) {
                ask_back(w, s, recall_reason::move, out);
                asked = true;
            }
        }
    }
    return asked;
}

// A new task goes before what lies in the pipes and has a lower priority; but not before what is so
// old that it ranks higher.
void pool::overtake(const task& t, time_point now, actions& out) {
    if (t.priority <= lowest_staged_) {
        return;
    }
    const bool has_worker = std::any_of(workers_.begin(), workers_.end(), [](const worker& w) {
        return w.state == worker_state::idle && w.takes_tasks();
    });
    if (has_worker) {
        return;
    }
    lowest_staged_ = std::numeric_limits<int>::max();
    for (worker& w : workers_) {
        for (std::uint64_t s = w.tasks.next(); s-- > w.tasks.first();) {
            const pipe_entry* const entry = w.tasks.find(s);
            if (entry == nullptr || entry->owner == nullptr) {
                continue;
            }
            lowest_staged_ = std::min(lowest_staged_, entry->owner->priority);
            if (w.takes_tasks() && s >= w.first_movable() && t.goes_before(*entry->owner)) {
                overtaking_until_ = after(now, limits_.overtaking_period);
                ask_back(w, s, recall_reason::move, out);
            }
        }
    }
}

void pool::stage(worker& w, task& next, time_point now, actions& out) {
    assert(next.state == task_state::queued);
    if (w.tasks.empty()) {
        w.ended = 0;
        w.since = now;
        w.progress = now;
    }
    next.state = task_state::staged;
    next.worker = index_of(w);
    next.sequence = w.tasks.push(next);
    w.state = worker_state::busy;
    ++staged_;
    ++w.owned;
    lowest_staged_ = std::min(lowest_staged_, next.priority);
    if (next.run_timeout != no_limit) {
        set_expiry(next, std::min(next.deadline, after(now, next.run_timeout)));
    }
    out.push_back({.kind = action_kind::stage,
                   .worker = next.worker,
                   .sequence = next.sequence,
                   .subject = &next});
}

void pool::feed_idle(time_point now, actions& out) {
    for (worker& thief : workers_) {
        if (thief.state != worker_state::idle || thief.condemned) {
            continue;
        }
        worker* victim = nullptr;
        std::size_t most = 0;
        for (worker& w : workers_) {
            const std::size_t behind = w.takes_tasks() && w.recalls == 0 ? movable(w) : 0;
            if (behind > most) {
                victim = &w;
                most = behind;
            }
        }
        if (victim == nullptr) {
            return;
        }
        // From one in a long task all, so that the oldest of them goes first.
        take_from(*victim,
                  is_stalled(*victim, now) ? most
                                           : std::min<std::size_t>((most + 1) / 2, thief.window),
                  out);
    }
}

std::size_t pool::movable(worker& w) {
    std::size_t n = 0;
    for (std::uint64_t s = w.first_movable(); s < w.tasks.next(); ++s) {
        n += w.tasks.find(s) != nullptr;
    }
    return n;
}

// The newest first: what the victim will not reach for longest.
void pool::take_from(worker& victim, std::size_t count, actions& out) {
    for (std::uint64_t s = victim.tasks.next(); s-- > victim.first_movable() && count > 0;) {
        if (victim.tasks.find(s) != nullptr) {
            ask_back(victim, s, recall_reason::move, out);
            --count;
        }
    }
}

// A condemned one, too: it may be pardoned.
bool pool::is_live(const worker& w) {
    return w.state == worker_state::starting || w.takes_tasks() || w.condemned;
}

// Tasks that wait although they could run, had we more workers: all but the oldest of each pipe.
std::size_t pool::waiting() const {
    std::size_t n = queue_.size();
    for (const worker& w : workers_) {
        n += w.owned - (w.tasks.first_owner() != nullptr);
    }
    return n;
}

void pool::start_workers(time_point now, actions& out) {
    start_delayed_ = false;
    if (broken_ || ending() || shutdown_ >= shutdown_mode::kill) {
        return;
    }
    std::size_t live = 0;
    std::size_t starting = 0;
    for (const worker& w : workers_) {
        live += is_live(w);
        starting += w.state == worker_state::starting;
    }
    if (live >= limits_.max_workers) {
        return;
    }
    for (std::size_t wanted = waiting(); starting < wanted && live < limits_.max_workers;
         ++live, ++starting) {
        if (!restarts_.may_start(now)) {
            start_delayed_ = true;
            return;
        }
        const std::uint32_t slot = free_slot();
        const std::uint32_t entry = free_entry();
        workers_[entry] = worker{};
        workers_[entry].state = worker_state::starting;
        workers_[entry].slot = slot;
        workers_[entry].limit = after(now, limits_.start_timeout);
        ++started_workers_;
        out.push_back({.kind = action_kind::start_worker, .worker = entry});
    }
}

std::uint32_t pool::free_entry() {
    for (worker& w : workers_) {
        if (w.state == worker_state::exited) {
            return index_of(w);
        }
    }
    workers_.emplace_back();
    return static_cast<std::uint32_t>(workers_.size() - 1);
}

std::uint32_t pool::free_slot() const {
    for (std::uint32_t slot = 0;; ++slot) {
        const bool taken = std::any_of(workers_.begin(), workers_.end(), [slot](const worker& w) {
            return w.slot == slot && is_live(w);
        });
        if (!taken) {
            return slot;
        }
    }
}

} // namespace coproc::pool
