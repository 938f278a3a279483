#include "pool/pool.hpp"

#include <algorithm>
#include <cassert>

// How workers begin and end, and what their end means for the tasks in their pipes.
namespace coproc::pool {

void pool::start_failed(std::uint32_t index, errc code, time_point now, actions& out) {
    if (workers_[index].state != worker_state::starting) {
        return;
    }
    const bool wanted = !workers_[index].dismissed;
    const time_point started = workers_[index].started;
    if (observed_) {
        record(event_kind::start_failed, workers_[index]).code = code;
    }
    workers_[index] = worker{};
    if (wanted) {
        failed_start(code, started, now, out);
    }
    schedule(now, out);
    continue_shutdown(now, out);
}

void pool::start_withdrawn(std::uint32_t index) {
    if (workers_[index].state == worker_state::starting) {
        workers_[index] = worker{};
    }
}

void pool::started(std::uint32_t index, time_point now) {
    worker& w = workers_[index];
    w.launched = true;
    if (w.state == worker_state::starting && !w.killed) {
        w.limit = after(now, limits_.start_timeout);
    }
    tell(event_kind::worker_started, w);
}

void pool::greeted(std::uint32_t index, time_point now) {
    worker& w = workers_[index];
    if (w.state == worker_state::starting && !w.killed) {
        w.greeted = true;
        w.limit = after(now, limits_.initializer_timeout);
    }
}

void pool::ready(std::uint32_t index, time_point now, actions& out) {
    worker& w = workers_[index];
    if (w.state != worker_state::starting || w.killed) {
        return;
    }
    restarts_.ready();
    tell(event_kind::worker_ready, w);
    make_idle(w);
    w.limit = never;
    w.progress = now;
    w.old_at = after(now, limits_.max_age);
    succeed(w, now, out);
    answer_warm_ups(out);
    schedule(now, out);
    continue_shutdown(now, out);
}

void pool::crashed(std::uint32_t index, bool handler, time_point now, actions& out) {
    worker& w = workers_[index];
    if (w.state == worker_state::starting) {
        w.limit = std::min(w.limit, after(now, limits_.crash_timeout));
        if (!handler) {
            kill(w, out);
        }
        return;
    }
    if (!w.is_ready()) {
        return;
    }
    crashed_now(w);
    give_up_worker(w, errc::worker_terminated, now, out);
    if (!handler) {
        kill(w, out);
    }
    schedule(now, out);
}

void pool::exceeded(std::uint32_t index, time_point now, actions& out) {
    worker& w = workers_[index];
    if (w.state == worker_state::starting) {
        kill(w, out);
    } else if (w.is_ready()) {
        give_up_worker(w, errc::out_of_memory, now, out);
        kill(w, out);
        schedule(now, out);
    }
}

// It gets no further task, and what it has not begun is taken back.
void pool::give_up_worker(worker& w, errc code, time_point now, actions& out) {
    stop_serving(w);
    w.limit = after(now, limits_.crash_timeout);
    w.end = code;
    ask_all_back(w, recall_reason::crash, out);
}

void pool::cleaning(std::uint32_t index, time_point now) {
    worker& w = workers_[index];
    w.cleaning = true;
    w.clean_after = w.tasks.next();
    watch_cleaning(w, now);
}

void pool::cleaned(std::uint32_t index) { end_cleaning(workers_[index]); }

// The clock starts when all that it was given before is over.
void pool::watch_cleaning(worker& w, time_point now) {
    if (w.cleaning && w.clean_limit == never && w.tasks.first() >= w.clean_after) {
        w.clean_limit = after(now, limits_.exit_timeout);
    }
}

void pool::end_cleaning(worker& w) {
    w.cleaning = false;
    w.clean_limit = never;
}

void pool::died(std::uint32_t index) {
    worker& w = workers_[index];
    if (w.is_ready()) {
        crashed_now(w);
        stop_serving(w);
    }
}

void pool::found_dead(std::uint32_t index, time_point now, actions& out) {
    workers_[index].found_dead = true;
    died(index);
    schedule(now, out);
}

// What it was about to begin, if it was in no task.
task* pool::next_to_begin(worker& w) {
    const std::uint64_t first = w.tasks.first();
    for (std::uint64_t s = first; s < w.tasks.next(); ++s) {
        const pipe_entry* const entry = w.tasks.find(s);
        if (entry == nullptr) {
            continue;
        }
        switch (verdicts_[s - first]) {
        case slot_state::begun:
        case slot_state::begun_in_part:
        case slot_state::finished: // it died of the result, which has not arrived
            return nullptr;
        case slot_state::offered:
            return entry->owner;
        case slot_state::recalled:
            break;
        }
    }
    return nullptr;
}

// Each end of a worker that was about to begin a task is held against that: it may be what kills
// those that read it, and would go from one to the next for ever.
bool pool::is_culprit(worker& w, task& next) {
    if (++next.deaths_before < restarts_.most_by_one_task() || next.cancelled) {
        return false;
    }
    w.explained = true;
    next.accused = true;
    return true;
}

// Everything the worker wrote has been passed on; what is still unsettled is judged by its slot.
// From the last to the first, so that those which go back to the queue keep their order.
void pool::judge(std::uint32_t index, errc code, time_point now, actions& out) {
    worker& w = workers_[index];
    const bool was_starting = w.state == worker_state::starting;
    if (w.is_ready()) {
        crashed_now(w);
        stop_serving(w);
    }
    w.state = worker_state::stopping;
    const bool cleaned_up = w.cleaning && w.tasks.first() >= w.clean_after;
    task* const next = w.found_dead || cleaned_up ? nullptr : next_to_begin(w);
    const task* const culprit = next != nullptr && is_culprit(w, *next) ? next : nullptr;
    const std::uint64_t first = w.tasks.first();
    for (std::uint64_t s = w.tasks.next(); s-- > first;) {
        if (w.tasks.find(s) != nullptr) {
            judge_entry(w, s, code, verdicts_[s - first], culprit, out);
        }
    }
    const bool useless = !w.dismissed && !w.worked;
    const bool unused = !was_starting && (w.tasks.next() == 0 || w.found_dead);
    const time_point started = w.started;
    const bool explained = w.explained;
    if (observed_ && w.launched) {
        record(event_kind::worker_ended, w).ready = !was_starting;
    }
    w = worker{};
    if (useless && unused && !ending()) {
        restarts_.died_unused(now, started);
    } else if (useless && !unused && !explained) {
        failed_start(code, started, now, out);
    }
    schedule(now, out);
    continue_shutdown(now, out);
}

void pool::judge_entry(worker& w, std::uint64_t sequence, errc code, slot_state slot,
                       const task* culprit, actions& out) {
    const pipe_entry entry = *w.tasks.find(sequence);
    const bool only_moved = entry.recall <= recall_reason::crash;
    const bool rest = slot == slot_state::begun_in_part;
    if (rest || slot == slot_state::begun || slot == slot_state::finished) {
        note_work(w);
    }
    settle(w, sequence);
    if (entry.owner == nullptr) {
        return;
    }
    if (entry.owner == culprit && only_moved) {
        complete(*entry.owner, code, certainty::not_started, out);
    } else if (slot == slot_state::offered || slot == slot_state::recalled) {
        taken_back(*entry.owner, entry.recall, out);
    } else if (only_moved && run_again(*entry.owner, out)) {
        return;
    } else if (rest) {
        out.push_back({.kind = action_kind::lose,
                       .code = code,
                       .how_certain = certainty::may_have_run,
                       .worker = index_of(w),
                       .sequence = sequence,
                       .subject = entry.owner});
        taken_back(*entry.owner, entry.recall, out);
    } else {
        complete(*entry.owner, code,
                 slot == slot_state::finished ? certainty::ran : certainty::may_have_run, out);
    }
}

void pool::failed_start(errc code, time_point started, time_point now, actions& out) {
    if (ending()) {
        return; // we did not let it start
    }
    const bool others = std::any_of(workers_.begin(), workers_.end(),
                                    [](const worker& w) { return w.takes_tasks(); });
    switch (restarts_.failed(now, started, others)) {
    case restart_policy::verdict::retry:
        if (restarts_.exhausted()) {
            fail_warm_ups(code, out);
        }
        return;
    case restart_policy::verdict::broken:
        broken_ = true;
        [[fallthrough]];
    case restart_policy::verdict::fail_tasks:
        awake_ = false; // no respawn for its own sake: the next submit tries again
        fail_warm_ups(code, out);
        fail_queued(code, out);
        return;
    }
}

void pool::fail_queued(errc code, actions& out) {
    while (!queue_.empty()) {
        task& t = queue_.front();
        queue_.remove(t);
        complete(t, code, certainty::not_started, out);
    }
}

// Its grace is over, or it cleans up for too long. Whatever else lies in its pipe is taken back
// first, so that the kill hits no other task.
void pool::condemn(worker& w, actions& out) {
    if (w.condemned || w.state == worker_state::stopping) {
        return;
    }
    w.condemned = true;
    ask_all_back(w, recall_reason::move, out);
}

// All that can be taken back is. If the overdue task is still running, nothing else is; and one
// that has begun a task after it was to clean up has done that.
void pool::execute_or_pardon(worker& w, time_point now, actions& out) {
    if (!w.condemned || w.recalls > 0) {
        return;
    }
    if (w.begun > w.clean_after) {
        end_cleaning(w);
    }
    if (w.clean_limit <= now || (w.abandoned > 0 && w.tasks.next_kill() <= now)) {
        kill(w, out);
    } else {
        w.condemned = false;
    }
}

void pool::kill(worker& w, actions& out) {
    if (w.killed) {
        return;
    }
    w.killed = true;
    if (w.state != worker_state::starting) {
        stop_serving(w);
        w.limit = never;
        // One that has not said hello yet has nothing to leave.
        forced_.killed_workers += shutdown_ != shutdown_mode::none;
    }
    out.push_back({.kind = action_kind::kill, .worker = index_of(w)});
}

void pool::ask_to_exit(worker& w, time_point now, actions& out) {
    stop_serving(w);
    w.dismissed = true;
    w.limit = after(now, limits_.exit_timeout);
    out.push_back({.kind = action_kind::request_exit, .worker = index_of(w)});
}

void pool::shut_down(shutdown_mode mode, time_point now, actions& out) {
    if (mode <= shutdown_) {
        return;
    }
    shutdown_ = mode;
    fail_warm_ups(errc::executor_shutdown, out);
    if (mode >= shutdown_mode::cancel_queued) {
        fail_queued(errc::executor_shutdown, out);
        for (worker& w : workers_) {
            ask_all_back(w,
                         mode == shutdown_mode::cancel_queued ? recall_reason::shutdown
                                                              : recall_reason::abort,
                         out);
        }
    }
    if (mode == shutdown_mode::stop) {
        for (worker& w : workers_) {
            if (w.state != worker_state::exited) {
                kill(w, out);
            }
        }
    }
    continue_shutdown(now, out);
}

void pool::continue_shutdown(time_point now, actions& out) {
    if (!ending() || shutdown_reported_) {
        return;
    }
    bool left = false;
    for (worker& w : workers_) {
        if (w.state == worker_state::idle) {
            ask_to_exit(w, now, out);
        } else if (w.state == worker_state::starting) {
            kill(w, out);
        }
        left = left || w.state != worker_state::exited;
    }
    if (!left) {
        shutdown_reported_ = true;
        out.push_back({.kind = action_kind::shutdown_complete});
    }
}

bool pool::needs_attention() const {
    if (unfinished() > 0 || !warm_ups_.empty() ||
        (shutdown_ != shutdown_mode::none && !shutdown_reported_)) {
        return true;
    }
    const bool ends = std::any_of(workers_.begin(), workers_.end(), [](const worker& w) {
        return w.abandoned > 0 || w.state == worker_state::stopping || w.killed;
    });
    return ends || (retiring_ > 0 && is_being_replaced());
}

bool pool::is_being_replaced() const {
    return std::any_of(workers_.begin(), workers_.end(),
                       [this](const worker& w) { return w.awaits_successor() && awaits_start(w); });
}

time_point pool::next_tick() const {
    time_point next = expiries_.empty() ? never : expiries_.begin()->expiry;
    if (start_delayed_ && (unfinished() > 0 || floor() > 0)) {
        next = std::min(next, restarts_.next_start());
    }
    if (limits_.idle_timeout != no_limit) {
        next = std::min(next, next_idle_timeout());
    }
    for (const worker& w : workers_) {
        next = std::min(next, w.limit);
        if (w.old_at < next && w.retired == retire_reason::none && w.is_ready()) {
            next = w.old_at;
        }
        if (w.abandoned > 0 && !w.condemned && w.state != worker_state::stopping) {
            next = std::min(next, w.tasks.next_kill());
        }
        if (w.cleaning && !w.condemned && w.is_ready()) {
            next = std::min(next, w.clean_limit);
        }
    }
    return next;
}

void pool::tick(time_point now, actions& out) {
    while (!expiries_.empty() && expiries_.begin()->expiry <= now) {
        expire(*expiries_.begin(), out);
    }
    for (worker& w : workers_) {
        overdue(w, now, out);
    }
    if (limits_.idle_timeout != no_limit) {
        time_out_idle(now, out);
    }
    schedule(now, out);
    continue_shutdown(now, out);
}

void pool::overdue(worker& w, time_point now, actions& out) {
    if (w.limit <= now) {
        w.limit = never;
        kill(w, out);
    }
    if (w.abandoned > 0 && w.tasks.next_kill() <= now) {
        condemn(w, out);
    }
    if (w.clean_limit <= now && w.is_ready()) {
        condemn(w, out);
        execute_or_pardon(w, now, out);
    }
    if (w.old_at <= now && w.is_ready() && w.retired == retire_reason::none) {
        begin_retiring(w, retire_reason::age, now, out);
    }
}

counts pool::look() const {
    counts c;
    c.queued = queue_.size();
    c.staged = staged_;
    for (const worker& w : workers_) {
        c.starting += w.state == worker_state::starting && !w.dismissed;
        c.idle += w.state == worker_state::idle;
        c.busy += w.state == worker_state::busy && !w.leaving;
        c.leaving += w.leaving;
        c.stopping += w.state == worker_state::stopping || w.dismissed;
    }
    c.submitted = submitted_;
    c.completed = completed_;
    c.started_workers = started_workers_;
    c.crashed_workers = crashed_workers_;
    return c;
}

} // namespace coproc::pool
