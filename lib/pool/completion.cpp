#include "pool/pool.hpp"

#include <algorithm>
#include <cassert>

// How a task ends, exactly once: by its worker's answer, by cancellation, by time, or by being
// taken back.
namespace coproc::pool {
namespace {

/// More each time, so that vectors which grow one by one are not moved as often.
template <class T>
void reserve(std::vector<T>& all, std::size_t needed) {
    if (all.capacity() < needed) {
        all.reserve(std::max(needed, 2 * all.capacity()));
    }
}

} // namespace

pool::pool(limits l) : limits_(l), restarts_(l.max_failed_starts) {
    assert(l.max_workers >= 1 && l.max_queued >= 1 && l.max_window >= 2);
}

pool::admission pool::submit(task& t, time_point now, actions& out) {
    assert(t.state == task_state::created);
    if (shutdown_ != shutdown_mode::none) {
        return admission::shut_down;
    }
    if (broken_) {
        return admission::broken;
    }
    if (queue_.size() >= limits_.max_queued) {
        return admission::queue_full;
    }
    make_room_for_submit(limits_.max_workers, out);
    listen_again(now);
    t.state = task_state::queued;
    tell_queued(t, queue_reason::submitted);
    t.rank = now - t.priority * ageing;
    t.order = submitted_++;
    queue_.add(t);
    set_expiry(t, t.run_timeout > duration::zero() ? t.deadline : std::min(t.deadline, now));
    if (t.expiry <= now) {
        expire(t, out);
        return admission::accepted;
    }
    awake_ = true;
    overtake(t, now, out);
    schedule(now, out);
    return admission::accepted;
}

// For all that a submit may decide, so that it cannot fail when it has begun to: what waits is
// staged, what is staged is taken back, workers start and are let go, and the task itself ends at
// once.
void pool::make_room_for_submit(std::size_t max_workers, actions& out) {
    const std::size_t stages =
        std::min<std::size_t>(queue_.size() + 1, workers_.size() * std::size_t{limits_.max_window});
    const std::size_t needed =
        out.size() + staged_ + 2 * stages + max_workers + workers_.size() + 1;
    reserve(out, needed);
    reserve(workers_, workers_.size() + max_workers);
    idle_.reserve(workers_.capacity());
    seats_.reserve(max_workers);
    if (observed_) { // each task once or twice, and each worker once
        reserve(events_, events_.size() + needed + stages + 2);
    }
}

void pool::listen_again(time_point now) {
    if (limits_.watch_idle || needs_attention()) {
        return;
    }
    for (worker& w : workers_) {
        if (w.state == worker_state::starting && w.limit != never) {
            w.limit = after(now, w.greeted ? limits_.initializer_timeout : limits_.start_timeout);
        } else if (w.clean_limit != never) {
            w.clean_limit = after(now, limits_.exit_timeout);
        }
    }
}

void pool::complete(task& t, errc code, certainty how_certain, actions& out) {
    assert(t.state == task_state::staged || t.state == task_state::queued);
    if (t.expiry_hook::is_linked()) {
        expiries_.erase(expiries_.iterator_to(t));
    }
    ++completed_;
    if (code != by_reply) {
        count_failure(t, code, how_certain);
    }
    tell_done(t, code, how_certain);
    t.state = task_state::done;
    out.push_back({.kind = action_kind::complete,
                   .code = code,
                   .how_certain = how_certain,
                   .worker = t.worker,
                   .sequence = t.sequence,
                   .subject = &t});
}

void pool::count_failure(task& t, errc code, certainty& how_certain) {
    how_certain = after_deaths(how_certain, t.deaths);
    if (code == errc::executor_shutdown) {
        ++forced_.cancelled;
        forced_.lost += how_certain != certainty::not_started;
    }
}

void pool::requeue(task& t, queue_reason why, actions& out) {
    if (shutdown_ >= shutdown_mode::cancel_queued) {
        complete(t, errc::executor_shutdown, certainty::not_started, out);
        return;
    }
    t.state = task_state::queued;
    t.worker = no_worker;
    tell_queued(t, why);
    queue_.add(t);
    set_expiry(t, t.deadline);
}

// Its worker died while it ran it, or with its result. False: that was its end.
bool pool::run_again(task& t, actions& out) {
    if (t.retries == 0 || t.cancelled || shutdown_ >= shutdown_mode::cancel_queued) {
        return false;
    }
    --t.retries;
    ++t.deaths;
    requeue(t, queue_reason::retried, out);
    return true;
}

void pool::set_expiry(task& t, time_point when) {
    if (t.expiry_hook::is_linked()) {
        expiries_.erase(expiries_.iterator_to(t));
    }
    t.expiry = when;
    if (when != never) {
        expiries_.insert(t);
    }
}

// The entry's owner, if it has one, has been taken care of.
void pool::settle(worker& w, std::uint64_t sequence) {
    const pipe_entry& entry = *w.tasks.find(sequence);
    staged_ -= entry.owner != nullptr;
    w.owned -= entry.owner != nullptr;
    w.abandoned -= entry.kill_at != never;
    w.recalls -= entry.recall != recall_reason::none;
    w.tasks.settle(sequence);
    if (w.tasks.empty() && w.state == worker_state::busy) {
        make_idle(w);
    }
}

task* pool::owner(std::uint32_t index, std::uint64_t sequence) {
    pipe_entry* entry = workers_[index].tasks.find(sequence);
    return entry == nullptr ? nullptr : entry->owner;
}

bool pool::has(std::uint32_t index, std::uint64_t sequence) {
    return workers_[index].tasks.find(sequence) != nullptr;
}

bool pool::replied(std::uint32_t index, std::uint64_t sequence, actions& out) {
    worker& w = workers_[index];
    pipe_entry* entry = w.tasks.find(sequence);
    if (entry == nullptr) {
        return false;
    }
    task* const t = entry->owner;
    note_work(w);
    settle(w, sequence);
    if (w.cleaning && sequence >= w.clean_after) {
        end_cleaning(w); // its report is on its way
    }
    if (w.abandoned == 0) {
        w.condemned = false; // whom it was condemned for is over
    }
    if (t != nullptr) {
        complete(*t, by_reply, certainty::ran, out);
    }
    return true;
}

void pool::drained(std::uint32_t index, std::size_t replies, time_point now, actions& out) {
    worker& w = workers_[index];
    execute_or_pardon(w, now, out);
    follow(w, replies, now);
    watch_cleaning(w, now);
    if (w.leaving) {
        let_go(w, now, out);
    }
    schedule(now, out);
    continue_shutdown(now, out);
}

// The window holds what the worker ends in one period, twice over, so that it does not run dry
// between two looks of ours. Long tasks leave it at 2: one that runs and one that is there when it
// ends.
void pool::follow(worker& w, std::size_t replies, time_point now) {
    w.ended += static_cast<std::uint32_t>(replies);
    if (replies > 0) {
        w.progress = now;
    }
    const duration elapsed = now - w.since;
    const duration period = limits_.window_period;
    const auto wanted = [this](std::uint64_t in_a_period) {
        return static_cast<std::uint32_t>(
            std::clamp<std::uint64_t>(2 * in_a_period, 2, limits_.max_window));
    };
    w.window = std::max(w.window, wanted(w.ended));
    if (elapsed < period) {
        return;
    }
    const std::uint32_t measured = wanted(w.ended * static_cast<std::uint64_t>(period.count()) /
                                          static_cast<std::uint64_t>(elapsed.count()));
    if (measured < w.window) {
        w.window -= (w.window - measured + 7) / 8;
    }
    w.ended = 0;
    w.since = now;
}

void pool::ask_back(worker& w, std::uint64_t sequence, recall_reason reason, actions& out) {
    pipe_entry& entry = *w.tasks.find(sequence);
    if (entry.recall != recall_reason::none) {
        entry.recall = std::max(entry.recall, reason);
        return;
    }
    entry.recall = reason;
    ++w.recalls;
    out.push_back({.kind = action_kind::recall, .worker = index_of(w), .sequence = sequence});
}

// The last first: taken back one by one to the head of the queue, they keep their order.
void pool::ask_all_back(worker& w, recall_reason reason, actions& out) {
    for (std::uint64_t s = w.tasks.next(); s-- > w.tasks.first();) {
        if (w.tasks.find(s) != nullptr) {
            ask_back(w, s, reason, out);
        }
    }
}

void pool::recalled(std::uint32_t index, std::uint64_t sequence, slot_state slot, time_point now,
                    actions& out) {
    worker& w = workers_[index];
    pipe_entry* entry = w.tasks.find(sequence);
    if (entry == nullptr || entry->recall == recall_reason::none) {
        return; // it was answered, or its worker judged, before this answer came
    }
    const recall_reason reason = entry->recall;
    if (slot == slot_state::recalled) {
        task* const t = entry->owner;
        const bool was_next = sequence == w.tasks.first();
        settle(w, sequence);
        taken_from(w);
        if (w.tasks.empty()) {
            w.progress = now;
        }
        if (t != nullptr && was_next && reason == recall_reason::crash && is_culprit(w, *t)) {
            complete(*t, w.end, certainty::not_started, out);
        } else if (t != nullptr) {
            taken_back(*t, reason, out);
        }
    } else {
        entry->recall = recall_reason::none;
        --w.recalls;
        overtaken(w, sequence, reason, slot, now, out);
    }
    if (w.recalls > 0) {
        return; // what is taken back is given out when all of it is in the queue, in its old order
    }
    watch_cleaning(w, now);
    execute_or_pardon(w, now, out);
    let_go(w, now, out);
    schedule(now, out);
    continue_shutdown(now, out);
}

// It has proved that its kind can run tasks.
void pool::note_work(worker& w) {
    if (!w.worked) {
        w.worked = true;
        restarts_.worked();
    }
}

// A worker runs its tasks in order, so what came before this one is over and nobody is to be killed
// for it, though its answer has not been seen yet.
void pool::note_begun(worker& w, std::uint64_t sequence) {
    note_work(w);
    w.begun = std::max(w.begun, sequence + 1);
    for (std::uint64_t s = w.tasks.first(); s < sequence && w.abandoned > 0; ++s) {
        if (pipe_entry* earlier = w.tasks.find(s)) {
            set_kill_at(w, *earlier, never);
        }
    }
}

void pool::set_kill_at(worker& w, pipe_entry& entry, time_point when) {
    w.abandoned -= entry.kill_at != never;
    entry.kill_at = when;
    w.abandoned += when != never;
}

// It never began, or what is left of it did not. It may have been cancelled before it was moved.
void pool::taken_back(task& t, recall_reason reason, actions& out) {
    if (t.cancelled && reason < recall_reason::withdraw) {
        reason = recall_reason::withdraw;
    }
    switch (reason) {
    case recall_reason::none:
    case recall_reason::move:
    case recall_reason::crash:
        requeue(t, queue_reason::taken_back, out);
        return;
    case recall_reason::withdraw:
    case recall_reason::stop:
    case recall_reason::cancel:
        complete(t, errc::cancelled, certainty::not_started, out);
        return;
    case recall_reason::shutdown:
    case recall_reason::abort:
        complete(t, errc::executor_shutdown, certainty::not_started, out);
        return;
    case recall_reason::timeout:
        complete(t, errc::timed_out, certainty::not_started, out);
        return;
    }
}

// It began before it could be taken back.
void pool::overtaken(worker& w, std::uint64_t sequence, recall_reason reason, slot_state slot,
                     time_point now, actions& out) {
    note_begun(w, sequence);
    if (slot == slot_state::begun_in_part && reason == recall_reason::crash) {
        return; // what is left of it is known when the worker is dead
    }
    if (slot == slot_state::begun_in_part) {
        slot = slot_state::begun;
    }
    pipe_entry& entry = *w.tasks.find(sequence);
    if (slot == slot_state::finished && entry.kill_at != never && !entry.returned) {
        entry.returned = true;
        set_kill_at(w, entry, after(now, limits_.encode_grace));
    }
    if (slot == slot_state::finished) {
        w.progress = now;
    }
    switch (reason) {
    case recall_reason::none:
    case recall_reason::move:
    case recall_reason::withdraw:
    case recall_reason::shutdown:
        return;
    case recall_reason::stop:
        if (slot == slot_state::begun && sequence + 1 == w.begun) { // else it is over
            out.push_back(
                {.kind = action_kind::request_stop, .worker = index_of(w), .sequence = sequence});
        }
        return;
    case recall_reason::crash:
        give_up(w, sequence, w.end, slot, now, out);
        return;
    case recall_reason::abort:
        give_up(w, sequence, errc::executor_shutdown, slot, now, out);
        return;
    case recall_reason::cancel:
        give_up(w, sequence, errc::cancelled, slot, now, out);
        return;
    case recall_reason::timeout:
        give_up(w, sequence, errc::timed_out, slot, now, out);
        return;
    }
}

// The caller has its answer now. The worker is asked to stop, and killed if it has not ended the
// task when the grace is over.
void pool::give_up(worker& w, std::uint64_t sequence, errc code, slot_state slot, time_point now,
                   actions& out) {
    pipe_entry& entry = *w.tasks.find(sequence);
    if (entry.owner == nullptr) {
        return;
    }
    if (w.state == worker_state::stopping && slot == slot_state::finished &&
        shutdown_ != shutdown_mode::stop) {
        return; // its result may still come, or will be judged lost
    }
    task& t = *entry.owner;
    entry.owner = nullptr;
    --staged_;
    --w.owned;
    entry.returned = slot == slot_state::finished;
    const bool by_its_worker = code == errc::worker_terminated || code == errc::out_of_memory;
    if (by_its_worker && run_again(t, out)) {
        return; // that ends anyway
    }
    complete(t, code, entry.returned ? certainty::ran : certainty::may_have_run, out);
    if (w.state == worker_state::stopping || sequence + 1 < w.begun) {
        return; // the worker ends anyway, or the task is over: a later one has begun
    }
    out.push_back({.kind = action_kind::request_stop, .worker = index_of(w), .sequence = sequence});
    set_kill_at(w, entry,
                after(now, entry.returned ? std::max(t.grace, limits_.encode_grace) : t.grace));
    if (entry.kill_at <= now) {
        condemn(w, out);
    }
}

void pool::cancel(task& t, cancel_type type, time_point now, actions& out) {
    if (t.state == task_state::queued) {
        queue_.remove(t);
        complete(t, errc::cancelled, certainty::not_started, out);
        continue_shutdown(now, out);
    } else if (t.state == task_state::warming) {
        end_warm_up(t, errc::cancelled, out);
    } else if (t.state == task_state::staged) {
        t.cancelled = true;
        ask_back(workers_[t.worker], t.sequence,
                 type == cancel_type::terminal  ? recall_reason::cancel
                 : type == cancel_type::partial ? recall_reason::stop
                                                : recall_reason::withdraw,
                 out);
    }
}

void pool::expire(task& t, actions& out) {
    t.overran = t.expiry < t.deadline;
    if (t.state == task_state::queued) {
        queue_.remove(t);
        complete(t, errc::timed_out, certainty::not_started, out);
    } else {
        set_expiry(t, never);
        ask_back(workers_[t.worker], t.sequence, recall_reason::timeout, out);
    }
}

} // namespace coproc::pool
