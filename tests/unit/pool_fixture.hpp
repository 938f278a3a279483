#pragma once

#include "pool/pool.hpp"
#include "support/catch.hpp"
#include "support/pool_printers.hpp"

#include <chrono>
#include <utility>
#include <vector>

// Scripts for the pool: each event gives its actions as a value, to be compared with actions that
// are written down in words.
namespace coproc::test {

using namespace std::chrono_literals;
using pool::action;
using pool::action_kind;
using pool::actions;
using pool::by_reply;
using pool::cancel_type;
using pool::never;
using pool::shutdown_mode;
using pool::slot_state;
using pool::task;
using pool::task_state;
using pool::worker_state;
using admission = pool::pool::admission;

inline action start(std::uint32_t worker) {
    return {.kind = action_kind::start_worker, .worker = worker};
}
inline action stage(task& t, std::uint32_t worker, std::uint64_t sequence) {
    return {.kind = action_kind::stage, .worker = worker, .sequence = sequence, .subject = &t};
}
inline action recall(std::uint32_t worker, std::uint64_t sequence) {
    return {.kind = action_kind::recall, .worker = worker, .sequence = sequence};
}
inline action request_stop(std::uint32_t worker, std::uint64_t sequence) {
    return {.kind = action_kind::request_stop, .worker = worker, .sequence = sequence};
}
inline action request_exit(std::uint32_t worker) {
    return {.kind = action_kind::request_exit, .worker = worker};
}
inline action kill(std::uint32_t worker) { return {.kind = action_kind::kill, .worker = worker}; }
inline action shutdown_complete() { return {.kind = action_kind::shutdown_complete}; }
/// Completion of a task, with the place where it was last.
inline action complete(task& t, errc code, certainty how_certain) {
    return {.kind = action_kind::complete,
            .code = code,
            .how_certain = how_certain,
            .worker = t.worker,
            .sequence = t.sequence,
            .subject = &t};
}
inline action complete_by_reply(task& t) { return complete(t, by_reply, certainty::ran); }
inline action not_started(task& t, errc code) { return complete(t, code, certainty::not_started); }
inline action may_have_run(task& t, errc code) {
    return complete(t, code, certainty::may_have_run);
}

/// Short times, so that tests can name them.
inline pool::limits limits_for(std::size_t workers) {
    return {.max_workers = workers,
            .max_window = 64,
            .max_failed_starts = 3,
            .start_timeout = 1000ms,
            .exit_timeout = 500ms,
            .crash_timeout = 200ms,
            .encode_grace = 100ms};
}

/// A pool and its clock. Tasks are made before it and so outlive it.
class script {
public:
    explicit script(std::size_t workers) : script(limits_for(workers)) {}
    explicit script(pool::limits l) : machine(l) {}

    actions submit(task& t) {
        CHECK(machine.submit(t, now, out_) == admission::accepted);
        return taken();
    }
    admission try_submit(task& t) {
        const admission answer = machine.submit(t, now, out_);
        CHECK(out_.empty());
        return answer;
    }
    actions cancel(task& t, cancel_type type) {
        machine.cancel(t, type, now, out_);
        return taken();
    }
    actions shut_down(shutdown_mode mode) {
        machine.shut_down(mode, now, out_);
        return taken();
    }
    void started(std::uint32_t worker) { machine.started(worker, now); }
    actions ready(std::uint32_t worker) {
        machine.ready(worker, now, out_);
        return taken();
    }
    actions start_failed(std::uint32_t worker) {
        machine.start_failed(worker, errc::spawn_failed, now, out_);
        return taken();
    }
    /// The replies to `sequences`, seen in one look.
    actions replies(std::uint32_t worker, const std::vector<std::uint64_t>& sequences) {
        for (const std::uint64_t sequence : sequences) {
            CHECK(machine.replied(worker, sequence, out_));
        }
        machine.drained(worker, sequences.size(), now, out_);
        return taken();
    }
    actions recalled(std::uint32_t worker, std::uint64_t sequence, slot_state slot) {
        machine.recalled(worker, sequence, slot, now, out_);
        return taken();
    }
    actions crashed(std::uint32_t worker, bool handler) {
        machine.crashed(worker, handler, now, out_);
        return taken();
    }
    void died(std::uint32_t worker) { machine.died(worker); }
    actions found_dead(std::uint32_t worker) {
        machine.found_dead(worker, now, out_);
        return taken();
    }
    /// The end of a process whose slots, from its oldest unsettled task on, are `slots`.
    actions exited(std::uint32_t worker, const std::vector<slot_state>& slots = {}) {
        const std::uint64_t first = machine.worker_at(worker).tasks.first();
        machine.exited(
            worker, errc::worker_terminated,
            [&slots, first](std::uint64_t sequence) {
                return slots.at(static_cast<std::size_t>(sequence - first));
            },
            now, out_);
        return taken();
    }
    actions tick_after(pool::duration length) {
        now += length;
        machine.tick(now, out_);
        return taken();
    }

    /// What was told since the last call.
    pool::events news() { return std::exchange(machine.news(), {}); }

    worker_state state(std::uint32_t worker) const { return machine.worker_at(worker).state; }
    /// From now to the next tick.
    pool::duration until_tick() const { return machine.next_tick() - now; }

    /// For events of the pool that have no name here.
    actions& out() { return out_; }

    pool::pool machine;
    pool::time_point now{1h};

private:
    actions taken() { return std::exchange(out_, {}); }

    actions out_;
};

/// A script with one idle worker, which has number 0.
inline void start_idle_worker(script& s) {
    task first;
    CHECK(s.submit(first) == actions{start(0)});
    CHECK(s.ready(0) == actions{stage(first, 0, 0)});
    CHECK(s.replies(0, {0}) == actions{complete_by_reply(first)});
    CHECK(s.state(0) == worker_state::idle);
}

} // namespace coproc::test
