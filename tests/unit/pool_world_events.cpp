#include "support/pool_printers.hpp"
#include "unit/pool_world.hpp"

#include <algorithm>

// What the pool tells those who watch it: whoever believes every word of it, and looks at nothing
// else, must know at each moment what there is.
namespace coproc::test {

using pool::event;
using pool::event_kind;
using life = sim_process::life;
using place = sim_task::place;

void world::listen() {
    for (const event& e : pool_.news()) {
        note("        told: ", e);
        switch (e.kind) {
        case event_kind::queued:
        case event_kind::staged:
        case event_kind::done:
            hear_of_task(e, static_cast<sim_task&>(*e.subject));
            break;
        case event_kind::resized:
            require(e.size_before == told_size_, "a new size follows the one before");
            told_size_ = e.size;
            break;
        default:
            hear_of_worker(e);
        }
    }
    pool_.news().clear();
}

void world::hear_of_task(const event& e, sim_task& t) {
    switch (e.kind) {
    case event_kind::queued:
        if (e.queued == queue_reason::submitted) {
            require(t.told == place::nowhere, "a task is submitted once");
            ++told_.submitted;
        } else {
            require(t.told == place::staged, "only what a worker has is taken from it");
            --told_.staged;
        }
        require(e.queued != queue_reason::retried || t.allowed > 0, "retried: it may be");
        t.told = place::queued;
        ++told_.queued;
        return;
    case event_kind::staged:
        require(t.told == place::queued, "a worker is given what has waited");
        require(told_workers_.at(e.number).ready && !told_workers_.at(e.number).ended,
                "tasks are given to workers that are ready");
        t.told = place::staged;
        --told_.queued;
        ++told_.staged;
        return;
    default:
        require(t.told == place::queued || t.told == place::staged, "a task is done once");
        require(e.number == 0 || t.told == place::staged, "only who was given a task has it");
        require(e.code == t.code && e.how_certain == t.how_certain, "its end is what was said");
        (t.told == place::queued ? told_.queued : told_.staged) -= 1;
        t.told = place::done;
        ++told_.completed;
        return;
    }
}

void world::hear_of_worker(const event& e) {
    sim_told_worker& w = told_workers_[e.number];
    require(e.number != 0 && e.number <= pool_.look().started_workers, "workers have numbers");
    require(!w.ended, "nothing follows the end of a worker");
    require(w.slot.value_or(e.slot) == e.slot, "it keeps its slot");
    w.slot = e.slot;
    switch (e.kind) {
    case event_kind::worker_started:
        require(!w.started, "a worker starts once");
        w.started = true;
        return;
    case event_kind::start_failed:
        require(!w.started, "what has started has not failed to");
        w.ended = true;
        return;
    case event_kind::worker_ready:
        require(w.started && !w.ready, "a worker that has started is ready, once");
        w.ready = true;
        return;
    case event_kind::worker_retired:
        require(e.retired != retire_reason::none, "a worker is retired for a reason");
        return;
    case event_kind::worker_crashed:
        require(w.ready && !w.crashed, "a worker that was ready crashes, once");
        w.crashed = true;
        ++told_.crashed_workers;
        return;
    case event_kind::worker_ended:
        require(w.started && w.ready == e.ready, "a worker ends that has started");
        require(w.crashed || e.killed || !w.ready || w.exit_asked, "a worker ends for a reason");
        w.ended = true;
        return;
    default:
        require(false, "there are no other events of workers");
    }
}

void world::check_told() {
    require(pool_.news().empty(), "nothing happens unseen");
    const pool::counts c = pool_.look();
    require(told_.submitted == c.submitted && told_.completed == c.completed &&
                told_.queued == c.queued && told_.staged == c.staged,
            "what was told of tasks is so");
    require(told_.crashed_workers == c.crashed_workers, "what was told of crashes is so");
    require(told_size_ == pool_.max_workers(), "what was told of sizes is so");
    std::size_t started = 0;
    std::size_t ready = 0;
    for (const sim_process& p : processes_) {
        started += p.launched;
        ready += p.exists() && p.ready;
    }
    for (const auto& [number, w] : told_workers_) {
        started -= w.started && !w.ended;
        ready -= w.ready && !w.ended;
    }
    require(started == 0 && ready == 0, "what was told of workers is so");
}

// What a shutdown has used force for.
void world::check_force() const {
    pool::forced f;
    for (const std::unique_ptr<sim_task>& t : tasks_) {
        const bool cancelled = t->where == place::done && t->code == errc::executor_shutdown;
        f.cancelled += cancelled;
        f.lost += cancelled && t->how_certain != certainty::not_started;
    }
    f.killed_workers = killed_in_shutdown_;
    require(pool_.used_force() == f, "a shutdown says what it has used force for");
}

} // namespace coproc::test
