#include "pool/pool.hpp"

#include <algorithm>
#include <cassert>

// How many workers there are: which of them are members, who is let go and when, and who waits
// until there are enough.
namespace coproc::pool {

// ---- states of a ready worker

void pool::make_idle(worker& w) {
    w.state = worker_state::idle;
    if (!w.leaving) { // else it is asked to exit, next
        idle_.push_back(index_of(w));
    }
}

// Mostly the last one.
void pool::make_busy(worker& w) {
    w.state = worker_state::busy;
    if (idle_.back() == index_of(w)) {
        idle_.pop_back();
    } else {
        idle_.erase(std::find(idle_.begin(), idle_.end(), index_of(w)));
    }
}

// Whatever it was, it ends.
void pool::stop_serving(worker& w) {
    if (w.state == worker_state::idle && !w.leaving) {
        make_busy(w);
    }
    if (w.is_ready() && w.leaving) {
        --leaving_;
    } else if (w.awaits_successor()) {
        --retiring_;
    }
    w.leaving = false;
    w.condemned = false;
    w.state = worker_state::stopping;
}

// Of the workers with one slot one has tasks at a time: a successor waits until the last task of
// its predecessor has ended.
bool pool::is_blocked(const worker& w) const {
    return std::any_of(workers_.begin(), workers_.end(), [&w](const worker& other) {
        return other.leaving && other.slot == w.slot && &other != &w;
    });
}

bool pool::has_member(std::uint32_t slot) const {
    return std::any_of(workers_.begin(), workers_.end(),
                       [slot](const worker& w) { return w.slot == slot && w.is_member(); });
}

std::size_t pool::members() const {
    return static_cast<std::size_t>(std::count_if(workers_.begin(), workers_.end(),
                                                  [](const worker& w) { return w.is_member(); }));
}

// So many members are kept, with or without tasks.
std::size_t pool::floor() const {
    if (!awake_ || shutdown_ != shutdown_mode::none) {
        return 0;
    }
    std::size_t least = limits_.min_workers;
    for (const task& request : warm_ups_) {
        least = std::max<std::size_t>(least, request.sequence);
    }
    return std::min(least, limits_.max_workers);
}

// ---- retirement

void pool::set_retired(worker& w, retire_reason why) {
    if (w.retired == retire_reason::none) {
        w.retired = why;
        ++retiring_;
        tell(event_kind::worker_retired, w);
    }
}

void pool::retire(std::uint32_t index, retire_reason why, time_point now, actions& out) {
    worker& w = workers_[index];
    if (!w.is_ready()) {
        return;
    }
    if (why == retire_reason::asked) {
        retire_at_once(w, now, out);
    } else if (w.retired == retire_reason::none) {
        begin_retiring(w, why, now, out);
    }
    schedule(now, out);
}

// It begins nothing of what it has, whatever else it was to be let go for: all of that is taken
// back, and it is not pardoned.
void pool::retire_at_once(worker& w, time_point now, actions& out) {
    if (w.leaving) {
        ask_all_back(w, recall_reason::move, out);
    } else {
        begin_leaving(w, retire_reason::asked, now, out);
    }
    w.retired = retire_reason::asked;
}

// It works on until a successor is ready; unless it is one itself and waits for its turn.
void pool::begin_retiring(worker& w, retire_reason why, time_point now, actions& out) {
    set_retired(w, why);
    if (w.state == worker_state::idle && is_blocked(w)) {
        ask_to_exit(w, now, out);
    }
}

// What it has not begun is taken back; but one that has had all its tasks keeps the last of them,
// which nobody could run sooner in its place.
void pool::begin_leaving(worker& w, retire_reason why, time_point now, actions& out) {
    if (w.leaving) {
        return;
    }
    set_retired(w, why);
    if (w.state == worker_state::idle) {
        ask_to_exit(w, now, out);
        return;
    }
    --retiring_;
    w.leaving = true;
    ++leaving_;
    if (why != retire_reason::tasks) {
        ask_all_back(w, recall_reason::move, out);
    }
}

void pool::let_go(worker& w, time_point now, actions& out) {
    if (w.leaving && w.tasks.empty()) {
        ask_to_exit(w, now, out);
    }
}

// It leaves, and is wanted again.
void pool::pardon(worker& w) {
    w.leaving = false;
    --leaving_;
    w.retired = retire_reason::none;
    if (w.state == worker_state::idle) {
        idle_.push_back(index_of(w));
    }
}

// A task that it had not begun. So it may have more of them.
void pool::taken_from(worker& w) {
    --w.given;
    if (w.leaving && w.retired == retire_reason::tasks && w.slot < limits_.max_workers &&
        !has_member(w.slot)) {
        pardon(w);
    }
}

// A successor is ready.
void pool::succeed(const worker& successor, time_point now, actions& out) {
    if (retiring_ == 0) {
        return;
    }
    for (worker& w : workers_) {
        if (w.slot == successor.slot && w.awaits_successor()) {
            begin_leaving(w, w.retired, now, out);
        }
    }
}

bool pool::awaits_start(const worker& w) const {
    return std::any_of(workers_.begin(), workers_.end(), [&w](const worker& other) {
        return other.slot == w.slot && other.state == worker_state::starting && other.is_member();
    });
}

// Those that await a successor which is not needed: none was started for them, and they have no
// task.
void pool::release_retired(time_point now, actions& out) {
    const bool enough = members() >= floor();
    for (worker& w : workers_) {
        if (w.state == worker_state::idle && w.awaits_successor() && enough && queue_.empty() &&
            !awaits_start(w)) {
            ask_to_exit(w, now, out);
        }
    }
}

// ---- the wanted number

void pool::resize(std::size_t max_workers, time_point now, actions& out) {
    assert(max_workers >= 1);
    make_room_for_submit(max_workers, out);
    if (observed_) {
        events_.push_back(
            {.kind = event_kind::resized, .size_before = limits_.max_workers, .size = max_workers});
    }
    limits_.max_workers = max_workers;
    for (worker& w : workers_) {
        if (w.slot >= max_workers) {
            dismiss(w, now, out);
        } else if (w.leaving && w.retired == retire_reason::resized && !has_member(w.slot)) {
            pardon(w);
        }
    }
    answer_warm_ups(out);
    schedule(now, out);
    continue_shutdown(now, out);
}

void pool::dismiss(worker& w, time_point now, actions& out) {
    if (w.state == worker_state::starting) {
        if (!w.dismissed) {
            w.dismissed = true;
            if (observed_ && w.launched) {
                record(event_kind::worker_retired, w).retired = retire_reason::resized;
            }
        }
        kill(w, out);
    } else if (w.is_ready()) {
        begin_leaving(w, retire_reason::resized, now, out);
    }
}

// More than are kept, and more than would be started if they went.
std::size_t pool::to_spare() const {
    const demand d = look_at_demand();
    const std::size_t least = floor();
    return d.members > least && d.free > d.wanted ? std::min(d.members - least, d.free - d.wanted)
                                                  : 0;
}

// The least recently used first. A worker that has just been given a task is not idle any more, so
// no task is ever with one that is asked to exit.
void pool::time_out_idle(time_point now, actions& out) {
    if (idle_.empty()) {
        return;
    }
    std::size_t spare = to_spare();
    for (std::size_t i = 0; spare > 0 && i < idle_.size();) {
        worker& w = workers_[idle_[i]];
        if (w.is_member() && after(w.progress, limits_.idle_timeout) <= now) {
            set_retired(w, retire_reason::idle);
            ask_to_exit(w, now, out); // takes it out of the list
            --spare;
        } else {
            ++i;
        }
    }
}

time_point pool::next_idle_timeout() const {
    time_point next = never;
    if (idle_.empty() || to_spare() == 0) {
        return next;
    }
    for (const std::uint32_t index : idle_) {
        if (workers_[index].is_member()) {
            next = std::min(next, after(workers_[index].progress, limits_.idle_timeout));
        }
    }
    return next;
}

// ---- warm-ups

pool::admission pool::warm_up(task& request, std::size_t count, time_point now, actions& out) {
    assert(request.state == task_state::created);
    if (shutdown_ != shutdown_mode::none) {
        return admission::shut_down;
    }
    if (broken_) {
        return admission::broken;
    }
    make_room_for_submit(limits_.max_workers, out);
    listen_again(now);
    awake_ = true;
    request.state = task_state::warming;
    request.sequence = count;
    warm_ups_.push_back(request);
    answer_warm_ups(out);
    schedule(now, out);
    return admission::accepted;
}

void pool::answer_warm_ups(actions& out) {
    if (warm_ups_.empty()) {
        return;
    }
    const auto ready = static_cast<std::size_t>(
        std::count_if(workers_.begin(), workers_.end(),
                      [](const worker& w) { return w.is_member() && w.is_ready(); }));
    for (auto next = warm_ups_.begin(); next != warm_ups_.end();) {
        task& request = *next++;
        if (ready >= std::min<std::size_t>(request.sequence, limits_.max_workers)) {
            end_warm_up(request, by_reply, out);
        }
    }
}

void pool::fail_warm_ups(errc code, actions& out) {
    while (!warm_ups_.empty()) {
        end_warm_up(warm_ups_.front(), code, out);
    }
}

void pool::end_warm_up(task& request, errc code, actions& out) {
    warm_ups_.erase(warm_ups_.iterator_to(request));
    request.state = task_state::done;
    out.push_back({.kind = action_kind::warmed, .code = code, .subject = &request});
}

} // namespace coproc::pool
