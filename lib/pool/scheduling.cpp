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
        worker* chosen = best_worker_for(next);
        if (chosen == nullptr) {
            break;
        }
        leave_queue(next);
        stage(*chosen, next, now, out);
    }
    if (queue_.empty()) {
        feed_idle(out);
    }
    start_workers(now, out);
}

worker* pool::best_worker_for(const task& next) {
    worker* best = nullptr;
    for (worker& w : workers_) {
        if (!has_room(w, next)) {
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

bool pool::has_room(const worker& w, const task& next) const {
    if (!w.takes_tasks()) {
        return false;
    }
    if (w.tasks.empty()) {
        return true;
    }
    // The clock of a run time-out starts with the function, so such a task goes only where it
    // starts at once.
    return next.run_timeout == no_limit && w.tasks.unsettled() < w.window &&
           w.tasks.span() < limits_.max_window && w.tasks.bytes() < limits_.max_pipe_bytes;
}

void pool::stage(worker& w, task& next, time_point now, actions& out) {
    assert(next.state == task_state::queued);
    if (w.tasks.empty()) {
        w.ended = 0;
        w.since = now;
    }
    next.state = task_state::staged;
    next.worker = index_of(w);
    next.sequence = w.tasks.push(next);
    w.state = worker_state::busy;
    ++staged_;
    ++w.owned;
    if (next.run_timeout != no_limit) {
        set_expiry(next, std::min(next.deadline, after(now, next.run_timeout)));
    }
    out.push_back({.kind = action_kind::stage,
                   .worker = next.worker,
                   .sequence = next.sequence,
                   .subject = &next});
}

void pool::feed_idle(actions& out) {
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
        take_from(*victim, std::min<std::size_t>((most + 1) / 2, thief.window), out);
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
