#include "unit/pool_world.hpp"

#include "support/pool_printers.hpp"

#include <algorithm>
#include <map>

// How many workers the pool has: what happens to that, and what must hold.
//
// A *member* is a worker that is starting, or ready, and not on its way out. On their way out are
// those that are to be replaced (they work on until their successor is ready), those that leave
// (they end the task that they have begun), and those that were asked to exit, were killed or have
// crashed. `max_workers` bounds the members; so there may be as many processes more as there are
// workers on their way out, but of those that share a slot only one has tasks.
namespace coproc::test {

using namespace std::chrono_literals;
using pool::action;
using pool::worker_state;
using life = sim_process::life;

// ---- what happens

void world::resize() {
    const std::size_t size = 1 + any(8);
    note("resize to ", size);
    limits_.max_workers = size;
    most_workers_ = std::max(most_workers_, static_cast<std::uint32_t>(size));
    for (sim_process& p : processes_) {
        p.unwanted = p.unwanted || (p.exists() && !p.ready && p.number >= size);
    }
    pool_.resize(size, now_, out_);
    for (const action& a : out_) {
        require(a.kind != pool::action_kind::kill || !processes_[a.worker].ready,
                "a resize kills no worker that may have a task");
    }
    perform();
}

void world::warm_up() {
    warm_ups_.push_back(std::make_unique<sim_warm_up>());
    sim_warm_up& request = *warm_ups_.back();
    request.id = warm_ups_.size() - 1;
    request.count = any(10);
    using admission = pool::pool::admission;
    const admission wanted = pool_.shutting_down() != pool::shutdown_mode::none
                                 ? admission::shut_down
                             : pool_.broken() ? admission::broken
                                              : admission::accepted;
    const admission got = pool_.warm_up(request, request.count, now_, out_);
    note("warm up ", request.count, ": ", got);
    require(got == wanted, "a warm-up is let in when it should");
    if (got != admission::accepted) {
        require(out_.empty() && request.state == pool::task_state::created,
                "a refused request is untouched");
        warm_ups_.pop_back();
        return;
    }
    asked_ = true;
    perform();
}

void world::cancel_warm_up() {
    sim_warm_up& request = *warm_ups_[any(warm_ups_.size())];
    note("cancel warm-up ", request.id);
    request.cancelled = true;
    const bool was_over = request.over;
    pool_.cancel(request, pool::cancel_type::terminal, now_, out_);
    require(!was_over || out_.empty(), "cancelling a request that is over does nothing");
    perform();
    require(request.over, "a cancelled request is over");
}

void world::retire(std::uint32_t index) {
    sim_process& p = processes_[index];
    if (p.now == life::running && p.running && !p.retires_with && any(2) == 0) {
        note("task ", *p.running, " of ", index, " asks for its retirement");
        p.retires_with = p.running; // the pool is told with the reply
        return;
    }
    note("retire ", index);
    pool_.retire(index, retire_reason::memory, now_, out_);
    perform();
}

void world::warmed(const action& a) {
    sim_warm_up& request = static_cast<sim_warm_up&>(*a.subject);
    require(!request.over, "a request is answered once");
    require(request.state == pool::task_state::done && !request.pool::list_hook::is_linked(),
            "the pool has forgotten a request that is over");
    request.over = true;
    std::size_t ready = 0;
    for (std::uint32_t i = 0; i < processes_.size(); ++i) {
        // It may have been given all its tasks by what was decided right after.
        ready += processes_[i].takes_tasks() &&
                 (is_member(i) || pool_.worker_at(i).retired == retire_reason::tasks);
    }
    if (a.code == pool::by_reply) {
        require(ready >= std::min(request.count, limits_.max_workers), "the workers are ready");
        return;
    }
    switch (a.code) {
    case errc::cancelled:
        require(request.cancelled, "cancelled: somebody did");
        return;
    case errc::executor_shutdown:
        require(pool_.shutting_down() != pool::shutdown_mode::none, "executor_shutdown: it was");
        return;
    default:
        require(start_failed_, "a failure has a cause");
    }
}

// ---- what must hold

bool world::is_member(std::uint32_t index) const {
    const sim_process& p = processes_[index];
    const pool::worker& w = pool_.worker_at(index);
    return p.exists() && !p.stopping() && !p.unwanted && !w.leaving &&
           w.retired == retire_reason::none;
}

bool world::is_blocked(std::uint32_t index) const {
    for (std::uint32_t i = 0; i < processes_.size(); ++i) {
        if (i != index && processes_[i].takes_tasks() && pool_.worker_at(i).leaving &&
            processes_[i].number == processes_[index].number) {
            return true;
        }
    }
    return false;
}

std::size_t world::members() const {
    std::size_t n = 0;
    for (std::uint32_t i = 0; i < processes_.size(); ++i) {
        n += is_member(i);
    }
    return n;
}

void world::check_sizes() {
    const std::size_t all = members();
    require(all <= limits_.max_workers, "max_workers bounds the members");
    const bool kept = asked_ && !start_failed_ &&
                      pool_.shutting_down() == pool::shutdown_mode::none && !pool_.broken();
    require(!kept || all >= std::min(limits_.min_workers, limits_.max_workers),
            "min_workers are kept");
    check_slots();
    check_growth(all);
    check_succession();
}

// With one slot: at most a worker on its way out and its successor, and only one of them has tasks.
void world::check_slots() const {
    struct seat {
        unsigned workers = 0;
        unsigned with_tasks = 0;
    };
    std::map<std::uint32_t, seat> seats;
    for (std::uint32_t i = 0; i < processes_.size(); ++i) {
        const sim_process& p = processes_[i];
        if (!p.exists() || p.stopping() || p.unwanted || (p.killed && !p.ready)) {
            continue;
        }
        seat& s = seats[p.number];
        require(p.number < most_workers_, "slots are below max_workers");
        require(p.number < limits_.max_workers || pool_.worker_at(i).leaving,
                "surplus workers leave");
        require(++s.workers <= 2, "a slot has a worker and perhaps a successor");
        s.with_tasks += p.takes_tasks() && p.unsettled() > 0;
        require(s.with_tasks <= 1, "of the workers with one slot one has tasks");
    }
}

// A task does not wait for a worker that could be started. (After a failed start it does, for a
// while.)
void world::check_growth(std::size_t all) const {
    if (start_failed_ || pool_.look().queued == 0 || all == limits_.max_workers || pool_.broken() ||
        pool_.shutting_down() >= pool::shutdown_mode::kill) {
        return;
    }
    std::size_t coming = 0;
    for (std::uint32_t i = 0; i < processes_.size(); ++i) {
        const bool waits_for_answers = !processes_[i].answers.empty();
        coming += (is_member(i) && processes_[i].unsettled() == 0) || waits_for_answers;
    }
    require(coming >= 1, "a queued task has a worker that comes for it");
}

// A worker that is replaced works on until its successor is ready: capacity does not dip.
void world::check_succession() {
    for (std::uint32_t i = 0; i < processes_.size(); ++i) {
        sim_process& p = processes_[i];
        const pool::worker& w = pool_.worker_at(i);
        if (!p.exists() || !w.leaving) {
            p.seen_leaving = false;
            continue;
        }
        if (!p.seen_leaving && w.retired != retire_reason::resized && !p.retires_with &&
            w.retired != retire_reason::tasks && limits_.max_tasks == 0) {
            bool succeeded = false;
            for (std::uint32_t other = 0; other < processes_.size(); ++other) {
                succeeded = succeeded || (is_member(other) && processes_[other].ready &&
                                          processes_[other].number == p.number);
            }
            require(succeeded || p.number >= limits_.max_workers, "its successor is ready");
        }
        p.seen_leaving = true;
    }
}

// With nothing to do, workers are started only to replace old ones, and to be as many as wanted.
void world::check_no_respawn_loop(std::uint64_t started, pool::duration time) const {
    const std::uint64_t lives = limits_.max_age == pool::no_limit
                                    ? 1
                                    : 2 + static_cast<std::uint64_t>(time / limits_.max_age);
    require(pool_.look().started_workers - started <= lives * limits_.max_workers,
            "no worker is started for nothing");
    if (!watched_ || pool_.shutting_down() != pool::shutdown_mode::none) {
        return;
    }
    const std::size_t least = asked_ ? std::min(limits_.min_workers, limits_.max_workers) : 0;
    require(start_failed_ || members() >= least, "in the end as many are there as shall be kept");
    for (std::uint32_t i = 0; i < processes_.size(); ++i) {
        const pool::worker& w = pool_.worker_at(i);
        if (processes_[i].takes_tasks()) {
            require(w.progress > now_ || limits_.idle_timeout == pool::no_limit ||
                        now_ - w.progress < limits_.idle_timeout + 400ms || members() <= least,
                    "in the end no worker idles for too long");
        }
    }
}

} // namespace coproc::test
