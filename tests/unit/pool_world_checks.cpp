#include "unit/pool_world.hpp"

#include <algorithm>
#include <set>

// What must hold after each event, whatever has happened.
namespace coproc::test {

using pool::action;
using pool::shutdown_mode;
using pool::slot_state;
using pool::worker_state;
using life = sim_process::life;
using place = sim_task::place;

void world::require(bool holds, const char* what) const {
    if (!holds) {
        throw violation(what);
    }
}

void world::check() {
    check_counts();
    check_workers();
    check_sizes();
    check_nobody_waits_in_vain();
    check_told();
    check_force();
}

void world::check_counts() const {
    pool::counts c = expected_;
    for (const sim_task* t : open_) {
        (t->where == place::queued ? c.queued : c.staged) += 1;
    }
    for (const sim_process& p : processes_) {
        c.starting += p.exists() && !p.ready && !p.unwanted;
        c.stopping += p.stopping() || p.unwanted;
        if (p.takes_tasks()) {
            const pool::worker& w =
                pool_.worker_at(static_cast<std::uint32_t>(&p - &processes_[0]));
            (p.unsettled() == 0 ? c.idle : w.leaving ? c.leaving : c.busy) += 1;
        }
    }
    const pool::counts got = pool_.look();
    require(got.queued == c.queued, "every waiting task is in the queue");
    require(got.staged == c.staged, "every staged task is in one pipe");
    require(got == c, "the counts are right");
    require(pool_.unfinished() == open_.size(), "unfinished() counts what is not completed");
}

void world::check_workers() const {
    std::set<std::uint32_t> numbers;
    bool expects_news =
        !open_.empty() ||
        std::any_of(warm_ups_.begin(), warm_ups_.end(),
                    [](const auto& request) { return !request->over; }) ||
        (pool_.shutting_down() != pool::shutdown_mode::none && shutdowns_completed_ == 0);
    for (std::uint32_t i = 0; i < processes_.size(); ++i) {
        const sim_process& p = processes_[i];
        const pool::worker& w = pool_.worker_at(i);
        require((w.state != worker_state::exited) == p.exists(),
                "an entry is free without process");
        if (!p.exists()) {
            continue;
        }
        expects_news = expects_news || p.stopping() || p.killed || w.abandoned > 0;
        if (w.awaits_successor()) {
            for (std::uint32_t other = 0; other < processes_.size(); ++other) {
                expects_news = expects_news || (is_member(other) && !processes_[other].ready &&
                                                processes_[other].number == p.number);
            }
        }
        require(w.slot == p.number, "a worker keeps its slot");
        if (is_member(i)) {
            require(numbers.insert(w.slot).second, "no two members have one slot");
            require(w.slot < limits_.max_workers, "slots are numbered from 0");
        }
        require(w.window >= 2 && w.window <= limits_.max_window, "the window keeps its bounds");
        require(w.tasks.unsettled() == p.unsettled(), "the pipe knows what is unsettled");
        require(!w.condemned || w.state == worker_state::busy, "only busy workers are condemned");
    }
    require(pool_.needs_attention() == expects_news, "the pool knows whether it awaits news");
}

// Once the pool has all answers that it asked for.
void world::check_nobody_waits_in_vain() const {
    bool any_idle = false;
    bool any_coming = pool_.next_tick() != pool::never;
    for (std::uint32_t i = 0; i < processes_.size(); ++i) {
        if (!processes_[i].answers.empty()) {
            return;
        }
        any_idle = any_idle || (pool_.worker_at(i).state == worker_state::idle && !is_blocked(i));
        any_coming = any_coming || processes_[i].exists();
    }
    require(!(any_idle && pool_.look().queued > 0), "no task waits while a worker idles");
    require(open_.empty() || any_coming, "no task waits for nothing");
    if (!any_idle || open_.empty()) {
        return;
    }
    for (std::uint32_t i = 0; i < processes_.size(); ++i) {
        const sim_process& p = processes_[i];
        const pool::worker& w = pool_.worker_at(i);
        for (std::uint64_t s = w.first_movable(); w.takes_tasks() && s < p.slots.size(); ++s) {
            require(p.slots[s].settled, "no task waits behind another while a worker idles");
        }
    }
}

// Of what has not begun, nothing lies in a pipe that a new task goes before, unless the new one has
// a worker, too.
void world::check_overtaking(const sim_task& t) const {
    if (late_answers_ || t.where != place::queued) {
        return;
    }
    for (std::uint32_t i = 0; i < processes_.size(); ++i) {
        const pool::worker& w = pool_.worker_at(i);
        for (std::uint64_t s = w.first_movable(); w.takes_tasks() && s < w.tasks.next(); ++s) {
            const sim_slot& slot = processes_[i].slots[s];
            require(slot.settled || slot.state != slot_state::offered ||
                        slot.subject->where != place::staged ||
                        t.priority <= slot.subject->priority || slot.subject->goes_before(t),
                    "a task of higher priority goes before what lies in pipes");
        }
    }
}

// Certainty is what the caller bases a second try on.
void world::check_truth(const sim_task& t, const action& a) const {
    if (a.code == pool::by_reply) {
        require(t.answered, "a value comes from a reply");
        require(t.begun == 1 + t.ended_runs() && t.finished >= 1,
                "a reply comes from the last run");
        require(a.how_certain == certainty::ran, "what was answered ran");
        return;
    }
    switch (a.how_certain) {
    case certainty::not_started:
        require(t.begun == t.losses, "not_started: the function was not called, for what is left");
        return;
    case certainty::may_have_run:
        require(t.begun >= 1, "may_have_run: a worker had begun it");
        return;
    case certainty::ran:
        require(t.finished >= 1, "ran: the function came to its end");
        return;
    }
}

// Whether there was a reason for this code.
void world::check_reason(const sim_task& t, const action& a) const {
    const bool started = a.how_certain != certainty::not_started;
    const shutdown_mode mode = pool_.shutting_down();
    if (a.code == pool::by_reply) {
        return;
    }
    switch (a.code) {
    case errc::cancelled:
        require(t.cancelled.has_value(), "cancelled: somebody did");
        require(!started || t.cancelled == pool::cancel_type::terminal || t.deaths > 0,
                "only terminal cancellation gives up what runs");
        return;
    case errc::timed_out:
        require(t.overran ? t.run_timeout <= pool::duration::zero() ||
                                (t.staged_at != pool::never && t.run_timeout != pool::no_limit &&
                                 now_ - t.staged_at >= t.run_timeout &&
                                 t.staged_at + t.run_timeout < t.deadline)
                          : t.deadline <= now_,
                "timed_out: its time is over");
        return;
    case errc::executor_shutdown:
        require(mode >= pool::shutdown_mode::cancel_queued, "executor_shutdown: it was");
        require(!started || mode >= shutdown_mode::kill || t.begun == t.ended_runs(),
                "cancel_queued lets run what runs");
        return;
    case errc::out_of_memory:
    case errc::worker_terminated: {
        require(!started || t.had_worker, "worker_terminated: it had a worker");
        require(started || start_failed_ || t.deaths_before > 0,
                "worker_terminated: one was to begin it, or was of no use");
        const bool unwanted = t.cancelled.has_value() || t.deadline <= now_ ||
                              t.run_timeout != pool::no_limit || mode != shutdown_mode::none;
        require(t.begun == t.ended_runs() || t.deaths == t.allowed || unwanted,
                "a task is run again as often as it may");
        require(t.begun == t.ended_runs() || !t.has_rest() || unwanted,
                "the rest of a chunk is run elsewhere");
        return;
    }
    case errc::spawn_failed:
    case errc::handshake_failed:
        require(!started || t.deaths > 0, "a failed start runs nothing");
        return;
    default:
        require(false, "the pool has no other codes");
    }
}

// A kill hits no innocent task, unless the worker is lost anyway or all are to be stopped.
void world::check_kill(std::uint32_t index) const {
    const sim_process& p = processes_[index];
    if (!p.ready || p.crash_told || p.exit_asked ||
        pool_.shutting_down() == pool::shutdown_mode::stop) {
        return;
    }
    bool guilty = false;
    for (const sim_slot& slot : p.slots) {
        if (slot.settled) {
            continue;
        }
        require(slot.state != slot_state::offered, "a kill comes after all else was taken back");
        guilty = guilty || (slot.subject->where == place::done && slot.subject->given_up);
    }
    const bool cleans = p.cleans_after && !p.running;
    require(guilty || cleans, "a worker is killed for a task that was given up, or cleans up");
    if (p.running && p.now == life::running) {
        const sim_task& t = *p.slots[*p.running].subject;
        require(t.where == place::done && t.grace != pool::no_limit, "a kill hits no innocent");
    }
}

// Nothing happens any more, except that functions might end that have not been asked to.
void world::check_nothing_is_overdue() const {
    require(open_.empty() || pool_.shutting_down() < pool::shutdown_mode::kill,
            "a killing shutdown answers every caller");
    for (const sim_task* t : open_) {
        require(t->deadline == pool::never, "a deadline ends a task");
        require(t->where != place::staged || t->run_timeout == pool::no_limit,
                "a run time-out ends a task");
    }
    for (const sim_process& p : processes_) {
        if (p.now == life::running && p.running && pool_.needs_attention()) {
            const sim_task& t = *p.slots[*p.running].subject;
            require(!t.given_up || t.grace == pool::no_limit, "after its grace a task is killed");
        }
    }
}

void world::check_rest() const {
    require(open_.empty() && pool_.unfinished() == 0, "every task comes to its end");
    const pool::counts c = pool_.look();
    require(c.busy == 0 && c.stopping == 0 && c.leaving == 0, "no worker is left busy");
    for (const auto& request : warm_ups_) {
        require(request->over, "who waits for workers is told");
    }
    require(!pool_.needs_attention(), "at rest the pool needs nothing");
}

} // namespace coproc::test
