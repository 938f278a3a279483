#include "pool/pool.hpp"

#include <algorithm>
#include <cassert>

// Which task goes to which worker, and when a worker is started.
namespace coproc::pool {
namespace {

constexpr std::uint32_t no_slot = static_cast<std::uint32_t>(-1);

} // namespace

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
    if (retiring_ > 0) {
        release_retired(now, out);
    }
}

worker* pool::best_worker_for(const task& next, time_point now) {
    if (worker* const idle = idle_worker()) {
        return idle;
    }
    worker* best = nullptr;
    for (worker& w : workers_) {
        if (w.state != worker_state::busy || !has_room(w, next, now) || !w.tasks.make_room()) {
            continue;
        }
        if (best == nullptr || w.tasks.unsettled() < best->tasks.unsettled()) {
            best = &w;
        }
    }
    return best;
}

worker* pool::idle_worker() {
    for (auto index = idle_.rbegin(); index != idle_.rend(); ++index) {
        worker& w = workers_[*index];
        if (leaving_ == 0 || !is_blocked(w)) {
            return &w;
        }
    }
    return nullptr;
}

bool pool::has_room(const worker& w, const task& next, time_point now) const {
    // The clock of a run time-out starts with the function, so such a task goes only where it
    // starts at once.
    return w.takes_tasks() && next.run_timeout == no_limit && w.tasks.unsettled() < w.window &&
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
        if (!stuck || !w.gives_tasks() || w.recalls > 0) {
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
    if (idle_worker() != nullptr) {
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
            if (w.gives_tasks() && s >= w.first_movable() && t.goes_before(*entry->owner)) {
                overtaking_until_ = after(now, limits_.overtaking_period);
                ask_back(w, s, recall_reason::move, out);
            }
        }
    }
}

void pool::stage(worker& w, task& next, time_point now, actions& out) {
    assert(next.state == task_state::queued);
    if (w.state == worker_state::idle) {
        make_busy(w);
        w.ended = 0;
        w.since = now;
        w.progress = now;
    }
    next.state = task_state::staged;
    next.worker = index_of(w);
    next.sequence = w.tasks.push(next);
    tell_staged(next, w);
    ++staged_;
    ++w.owned;
    if (++w.given == limits_.max_tasks && limits_.max_tasks != 0) {
        begin_leaving(w, retire_reason::tasks, now, out);
    }
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
    for (const std::uint32_t index : idle_) {
        const worker& thief = workers_[index];
        if (leaving_ > 0 && is_blocked(thief)) {
            continue;
        }
        worker* victim = nullptr;
        std::size_t most = 0;
        for (worker& w : workers_) {
            const std::size_t behind = w.gives_tasks() && w.recalls == 0 ? movable(w) : 0;
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

// Wanted are workers for the tasks that wait: those in the queue, and all but the oldest of each
// pipe; and a successor for each that has a task and shall go.
pool::demand pool::look_at_demand() const {
    demand d;
    d.wanted = queue_.size();
    for (const worker& w : workers_) {
        d.wanted += w.owned - (w.tasks.first_owner() != nullptr);
        if (w.is_member()) {
            ++d.members;
            d.starting += w.state == worker_state::starting;
            d.free += w.state != worker_state::busy;
        } else {
            d.wanted +=
                w.state == worker_state::busy && w.owned > 0 && w.retired != retire_reason::resized;
        }
    }
    return d;
}

void pool::start_workers(time_point now, actions& out) {
    start_delayed_ = false;
    if (broken_ || ending() || shutdown_ >= shutdown_mode::kill) {
        return;
    }
    if (unfinished() == 0 && limits_.min_workers == 0 && warm_ups_.empty()) {
        return;
    }
    demand d = look_at_demand();
    if (d.members >= limits_.max_workers) {
        return;
    }
    for (const std::size_t least = floor();
         (d.free < d.wanted || d.members < least) && d.members < limits_.max_workers;
         ++d.members, ++d.free) {
        if (!restarts_.may_start(now)) {
            start_delayed_ = true;
            return;
        }
        if (restarts_.in_doubt() && d.starting > 0) {
            return;
        }
        ++d.starting;
        start_worker(now, out);
    }
}

void pool::start_worker(time_point now, actions& out) {
    const std::uint32_t slot = free_slot();
    const std::uint32_t entry = free_entry();
    workers_[entry] = worker{};
    workers_[entry].state = worker_state::starting;
    workers_[entry].slot = slot;
    workers_[entry].started = now;
    workers_[entry].number = ++started_workers_;
    out.push_back({.kind = action_kind::start_worker, .worker = entry});
}

std::uint32_t pool::free_entry() {
    for (worker& w : workers_) {
        if (w.state == worker_state::exited) {
            return index_of(w);
        }
    }
    workers_.emplace_back();
    idle_.reserve(workers_.capacity());
    return static_cast<std::uint32_t>(workers_.size() - 1);
}

// That of a worker that awaits its successor; else one that nobody has; else one whose last tasks
// must end first.
std::uint32_t pool::free_slot() {
    seats_.assign(limits_.max_workers, seat());
    for (const worker& w : workers_) {
        if (w.slot < seats_.size()) {
            seat& its = seats_[w.slot];
            its.member = its.member || w.is_member();
            its.awaited = its.awaited || w.awaits_successor();
            its.left = its.left || w.leaving;
        }
    }
    std::uint32_t unused = no_slot;
    std::uint32_t taken = no_slot;
    for (std::uint32_t slot = 0; slot < seats_.size(); ++slot) {
        const seat& who = seats_[slot];
        if (who.member) {
            continue;
        }
        if (who.awaited || (!who.left && retiring_ == 0)) {
            return slot;
        }
        std::uint32_t& found = who.left ? taken : unused;
        found = std::min(found, slot);
    }
    return unused != no_slot ? unused : taken;
}

} // namespace coproc::pool
