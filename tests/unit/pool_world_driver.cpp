#include "unit/pool_world.hpp"

#include "support/pool_printers.hpp"

#include <algorithm>

// What a driver does with the pool's actions, and with what shared pages hold.
namespace coproc::test {

using pool::action;
using pool::action_kind;
using pool::slot_state;
using life = sim_process::life;
using place = sim_task::place;

void world::perform() {
    for (std::size_t i = 0; i < out_.size(); ++i) {
        require(i < 20000, "the pool comes to rest");
        const action a = out_[i];
        perform(a);
    }
    out_.clear();
    listen();
    for (sim_task* t : open_) {
        if (t->where == place::queued) {
            t->staged_at = pool::never;
        }
    }
}

void world::perform(const action& a) {
    note("    ", a);
    require(shutdowns_completed_ == 0, "nothing follows shutdown_complete");
    switch (a.kind) {
    case action_kind::start_worker:
        start(a);
        return;
    case action_kind::stage:
        stage(a);
        return;
    case action_kind::recall:
        recall(a);
        return;
    case action_kind::request_stop:
        require(processes_[a.worker].ready, "only a ready worker is asked to stop");
        processes_[a.worker].stop_word = a.sequence;
        return;
    case action_kind::request_exit:
        require(processes_[a.worker].takes_tasks(), "a worker is asked to leave once");
        require(processes_[a.worker].unsettled() == 0, "a worker that leaves has no task");
        processes_[a.worker].exit_asked = true;
        told_workers_[pool_.worker_at(a.worker).number].exit_asked = true;
        return;
    case action_kind::kill:
        kill(a);
        return;
    case action_kind::complete:
        complete(a);
        return;
    case action_kind::lose:
        lose(a);
        return;
    case action_kind::warmed:
        warmed(a);
        return;
    case action_kind::shutdown_complete:
        ++shutdowns_completed_;
        require(open_.empty(), "a shutdown ends when all tasks have");
        for (const sim_process& p : processes_) {
            require(!p.exists(), "a shutdown ends when all workers have");
        }
        return;
    }
}

void world::start(const action& a) {
    if (processes_.size() <= a.worker) {
        processes_.resize(a.worker + 1);
    }
    sim_process& p = processes_[a.worker];
    require(!p.exists(), "an entry has one process");
    require(!open_.empty() || limits_.min_workers > 0 ||
                std::any_of(warm_ups_.begin(), warm_ups_.end(),
                            [](const auto& request) { return !request->over; }),
            "a worker is started for a task, or because so many are wanted");
    ++expected_.started_workers;
    p.refused = false;
    p.number = pool_.worker_at(a.worker).slot;
    p.now = life::starting;
    if (accidents_ && chance(start_failure_)) {
        p.now = life::unstartable;
        if (chance(500)) {
            p = sim_process{};
            p.refused = true;
            start_failed_ = true;
            pool_.start_failed(a.worker, errc::spawn_failed, now_, out_);
        }
    } else {
        p.silent = accidents_ && chance(silence_);
        if (chance(500)) {
            launch(a.worker);
        }
    }
}

void world::launch(std::uint32_t index) {
    processes_[index].launched = true;
    pool_.started(index, now_);
}

void world::stage(const action& a) {
    sim_process& p = processes_[a.worker];
    sim_task& t = static_cast<sim_task&>(*a.subject);
    require(t.where == place::queued, "what is staged was in the queue");
    require(t.begun == t.ended_runs(), "what has begun is sent again only if its worker died");
    require(t.deaths + t.retries == t.allowed || t.cancelled.has_value(), "each death counts");
    require(p.takes_tasks() || p.found_dead, "only a ready worker gets tasks");
    require(!p.seen_leaving || !pool_.worker_at(a.worker).leaving ||
                pool_.worker_at(a.worker).given == limits_.max_tasks, // this was the last one
            "a worker that leaves gets no tasks");
    require(a.sequence == p.slots.size(), "sequence numbers have no gaps");
    require(t.worker == a.worker && t.sequence == a.sequence, "a task knows its place");
    if (late_answers_) { // else answers have come since this was decided
        require(std::none_of(open_.begin(), open_.end(),
                             [&t](const sim_task* other) {
                                 return other->where == place::queued && other->goes_before(t);
                             }),
                "the queue is left in its order");
    }
    const std::size_t unsettled = p.unsettled();
    if (unsettled > 0) {
        require(t.run_timeout == pool::no_limit, "a timed task goes to an idle worker");
        require(unsettled < pool_.worker_at(a.worker).window, "the window bounds the pipe");
        require(a.sequence - p.oldest_unsettled() < limits_.max_window, "the slot is free");
    }
    t.where = place::staged;
    t.had_worker = true;
    t.staged_at = now_;
    p.slots.push_back({.subject = &t});
    if (!watched_ && limits_.min_workers == 0 && p.now == life::dead && unsettled == 0 &&
        chance(500)) {
        note("found dead: ", a.worker);
        p.found_dead = true;
        ++expected_.crashed_workers;
        pool_.found_dead(a.worker, now_, out_);
    }
}

void world::recall(const action& a) {
    sim_process& p = processes_[a.worker];
    sim_slot& slot = p.slots.at(a.sequence);
    require(!slot.settled && !slot.recalling, "one recall at a time, of what is unsettled");
    slot.recalling = true;
    if (slot.state == slot_state::offered) {
        slot.subject->unseen_kills += p.now == life::dead && p.claimed == a.sequence;
        slot.state = slot_state::recalled;
    }
    const sim_answer now{.sequence = a.sequence, .state = slot.told()};
    if (late_answers_) {
        p.answers.push_back(now);
    } else {
        deliver(a.worker, now);
    }
}

void world::deliver(std::uint32_t index, sim_answer a) {
    note("    recalled ", a.sequence, " of ", index, ": ", a.state);
    sim_slot& slot = processes_[index].slots[a.sequence];
    slot.recalling = false;
    if (!slot.settled && a.state == slot_state::recalled) {
        slot.settled = true;
        if (!slot.disowned && slot.subject->where == place::staged) {
            slot.subject->where = place::queued;
        }
    }
    const unsigned deaths = slot.subject->deaths;
    pool_.recalled(index, a.sequence, a.state, now_, out_);
    if (slot.subject->deaths > deaths) {
        slot.disowned = true;
        slot.subject->where = place::queued;
    }
}

void world::kill(const action& a) {
    sim_process& p = processes_[a.worker];
    if (p.refused) {
        return;
    }
    require(p.exists() && !p.killed, "what is killed is there, and is killed once");
    check_kill(a.worker);
    killed_in_shutdown_ += p.ready && pool_.shutting_down() != pool::shutdown_mode::none;
    p.killed = true;
    p.now = life::dead;
}

void world::complete(const action& a) {
    sim_task& t = static_cast<sim_task&>(*a.subject);
    require(t.where == place::queued || t.where == place::staged, "a task completes once");
    require(t.state == pool::task_state::done, "a completed task is done");
    require(!t.pool::list_hook::is_linked() && !t.pool::tree_hook::is_linked() &&
                !t.pool::expiry_hook::is_linked(),
            "the pool has forgotten a completed task");
    check_truth(t, a);
    check_reason(t, a);
    ++expected_.completed;
    t.where = place::done;
    t.given_up = t.begun > 0 && !t.answered;
    t.code = a.code;
    t.how_certain = a.how_certain;
    open_.erase(std::find(open_.begin(), open_.end(), &t));
}

// What its dead worker had begun of a chunk: an element. The rest is run elsewhere.
void world::lose(const action& a) {
    sim_task& t = static_cast<sim_task&>(*a.subject);
    require(t.where == place::queued && t.begun == 1 + t.ended_runs(),
            "an element is lost by the death of who ran it");
    require(t.has_rest(), "a chunk without a rest is completed");
    require(t.retries == 0 || t.cancelled.has_value() || t.deadline <= now_ ||
                t.run_timeout != pool::no_limit ||
                pool_.shutting_down() >= pool::shutdown_mode::cancel_queued,
            "nothing is lost of a chunk that may be run again");
    ++t.losses;
    ++t.at;
}

} // namespace coproc::test
