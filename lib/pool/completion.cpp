#include "pool/pool.hpp"

#include <algorithm>
#include <cassert>

// How a task ends, exactly once: by its worker's answer, by cancellation, by time, or by being
// taken back.
namespace coproc::pool {

pool::pool(limits l) : limits_(l), restarts_(l.max_failed_starts) {}

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
    if (!needs_attention()) {
        // Nobody listened to these while there was nothing to do: their time starts again.
        for (worker& w : workers_) {
            if (w.state == worker_state::starting) {
                w.limit = after(now, limits_.start_timeout);
            }
        }
    }
    t.state = task_state::queued;
    queue_.push_back(t);
    ++submitted_;
    set_expiry(t, t.deadline);
    if (t.deadline <= now || t.run_timeout <= duration::zero()) {
        expire(t, out);
        return admission::accepted;
    }
    schedule(now, out);
    return admission::accepted;
}

void pool::complete(task& t, errc code, certainty how_certain, actions& out) {
    assert(t.state == task_state::staged || t.state == task_state::queued);
    if (t.expiry_hook::is_linked()) {
        expiries_.erase(expiries_.iterator_to(t));
    }
    t.state = task_state::done;
    ++completed_;
    out.push_back({.kind = action_kind::complete,
                   .code = code,
                   .how_certain = how_certain,
                   .worker = t.worker,
                   .sequence = t.sequence,
                   .subject = &t});
}

void pool::leave_queue(task& t) { queue_.erase(queue_.iterator_to(t)); }

void pool::requeue(task& t, actions& out) {
    if (shutdown_ >= shutdown_mode::cancel_queued) {
        complete(t, errc::executor_shutdown, certainty::not_started, out);
        return;
    }
    t.state = task_state::queued;
    queue_.push_front(t);
    set_expiry(t, t.deadline);
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
    w.abandoned -= entry.kill_at != never;
    w.recalls -= entry.recall != recall_reason::none;
    w.tasks.settle(sequence);
    if (w.tasks.empty() && w.state == worker_state::busy) {
        w.state = worker_state::idle;
    }
}

task* pool::owner(std::uint32_t index, std::uint64_t sequence) {
    pipe_entry* entry = workers_[index].tasks.find(sequence);
    return entry == nullptr ? nullptr : entry->owner;
}

bool pool::replied(std::uint32_t index, std::uint64_t sequence, actions& out) {
    worker& w = workers_[index];
    pipe_entry* entry = w.tasks.find(sequence);
    if (entry == nullptr) {
        return false;
    }
    task* const t = entry->owner;
    if (entry->kill_at != never) {
        w.condemned = false; // the given-up task is over
    }
    settle(w, sequence);
    if (t != nullptr) {
        complete(*t, by_reply, certainty::ran, out);
    }
    return true;
}

void pool::drained(std::uint32_t index, std::size_t replies, time_point now, actions& out) {
    worker& w = workers_[index];
    // As many tasks as the worker ends between two looks of ours, twice over: then it need not wait
    // for us. Long tasks leave the window at 2, one that runs and one that is there when it ends.
    const std::size_t wanted = std::clamp<std::size_t>(2 * replies, 2, limits_.max_window);
    if (wanted >= w.window) {
        w.window = static_cast<std::uint32_t>(wanted);
    } else if (replies > 0) {
        w.window -= (w.window - static_cast<std::uint32_t>(wanted) + 7) / 8;
    }
    schedule(now, out);
    continue_shutdown(now, out);
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
        settle(w, sequence);
        if (t != nullptr) {
            taken_back(*t, reason, out);
        }
    } else {
        entry->recall = recall_reason::none;
        --w.recalls;
        overtaken(w, sequence, reason, slot, now, out);
    }
    if (w.condemned && w.recalls == 0) {
        if (w.abandoned > 0) {
            kill(w, out);
        } else {
            w.condemned = false;
        }
    }
    schedule(now, out);
    continue_shutdown(now, out);
}

// It never began.
void pool::taken_back(task& t, recall_reason reason, actions& out) {
    switch (reason) {
    case recall_reason::none:
    case recall_reason::move:
    case recall_reason::crash:
        requeue(t, out);
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
    if (w.condemned) {
        // Either the given-up task has just finished, or another one has begun since: nobody is to
        // be killed.
        pipe_entry& entry = *w.tasks.find(sequence);
        if (entry.kill_at == never) {
            w.condemned = false;
        } else if (slot == slot_state::finished) {
            w.condemned = false;
            entry.kill_at = after(now, limits_.encode_grace);
        }
    }
    switch (reason) {
    case recall_reason::move:
        w.all_begun = true; // else an idle worker would ask again, and again, until the answers are here
        return;
    case recall_reason::none:
    case recall_reason::withdraw:
    case recall_reason::shutdown:
        return;
    case recall_reason::stop:
        out.push_back(
            {.kind = action_kind::request_stop, .worker = index_of(w), .sequence = sequence});
        return;
    case recall_reason::crash:
        give_up(w, sequence, errc::worker_terminated, slot, now, out);
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
    complete(t, code, slot == slot_state::finished ? certainty::ran : certainty::may_have_run, out);
    if (w.state == worker_state::stopping) {
        return; // it ends anyway
    }
    out.push_back({.kind = action_kind::request_stop, .worker = index_of(w), .sequence = sequence});
    entry.kill_at = after(now, t.grace);
    if (entry.kill_at == never) {
        return;
    }
    ++w.abandoned;
    if (entry.kill_at <= now) {
        condemn(w, out);
    }
}

void pool::cancel(task& t, cancel_type type, time_point now, actions& out) {
    if (t.state == task_state::queued) {
        leave_queue(t);
        complete(t, errc::cancelled, certainty::not_started, out);
        continue_shutdown(now, out);
    } else if (t.state == task_state::staged) {
        ask_back(workers_[t.worker], t.sequence,
                 type == cancel_type::terminal  ? recall_reason::cancel
                 : type == cancel_type::partial ? recall_reason::stop
                                                : recall_reason::withdraw,
                 out);
    }
}

void pool::expire(task& t, actions& out) {
    if (t.state == task_state::queued) {
        leave_queue(t);
        complete(t, errc::timed_out, certainty::not_started, out);
    } else {
        set_expiry(t, never);
        ask_back(workers_[t.worker], t.sequence, recall_reason::timeout, out);
    }
}

} // namespace coproc::pool
