#include "unit/pool_fixture.hpp"

#include <array>
#include <string>

using namespace coproc;
using namespace coproc::test;

// Every state of a worker and every event: the next state and what is to be done.
namespace {

enum class event {
    start_failed,
    ready,
    replied,
    recalled,
    begun,
    crash_handler,
    protocol_error,
    exceeded,
    exited,
    shut_down,
    stop,
    late,
};

constexpr std::array all_events{event::start_failed,   event::ready,    event::replied,
                                event::recalled,       event::begun,    event::crash_handler,
                                event::protocol_error, event::exceeded, event::exited,
                                event::shut_down,      event::stop,     event::late};

// Worker 0 in some state. Another worker, number 1, is idle, so that what happens to worker 0
// starts no third one; `own` is in the pipe of worker 0 if it is busy.
struct scene {
    explicit scene(worker_state state) {
        std::array<task, 2> first;
        s.submit(first[0]);
        s.submit(first[1]);
        s.ready(1);
        s.replies(1, {0}); // first[0]
        s.cancel(first[1], cancel_type::total);
        if (s.machine.worker_at(1).tasks.unsettled() > 0) {
            s.recalled(1, 1, slot_state::recalled);
        }
        switch (state) {
        case worker_state::starting:
            s.started(0);
            break;
        case worker_state::idle:
            s.ready(0);
            break;
        case worker_state::busy:
            s.ready(0);
            s.submit(own);
            break;
        case worker_state::stopping:
            s.ready(0);
            s.crashed(0, true);
            break;
        case worker_state::exited:
            s.ready(0);
            s.exited(0);
            break;
        }
        CHECK(s.state(0) == state);
        CHECK(s.state(1) == worker_state::idle);
    }

    actions happen(event e) {
        switch (e) {
        case event::start_failed:
            return s.start_failed(0);
        case event::ready:
            return s.ready(0);
        case event::replied: {
            actions out;
            const bool asked = s.machine.worker_at(0).tasks.unsettled() > 0;
            CHECK(s.machine.replied(0, 0, out) == asked);
            return out;
        }
        case event::recalled:
            return s.recalled(0, 0, slot_state::recalled);
        case event::begun:
            return s.recalled(0, 0, slot_state::begun);
        case event::crash_handler:
            return s.crashed(0, true);
        case event::protocol_error:
            return s.crashed(0, false);
        case event::exceeded: {
            actions out;
            s.machine.exceeded(0, s.now, out);
            return out;
        }
        case event::exited:
            return s.exited(0, {slot_state::begun});
        case event::shut_down:
            return s.shut_down(shutdown_mode::drain);
        case event::stop:
            return s.shut_down(shutdown_mode::stop);
        case event::late:
            return s.tick_after(1h);
        }
        return {};
    }

    task own;
    script s{2};
};

struct row {
    worker_state before;
    event what;
    worker_state after;
    actions wanted;
};

void check_row(const row& r, scene& in) {
    INFO("state " << static_cast<int>(r.before) << ", event " << static_cast<int>(r.what));
    CHECK(in.happen(r.what) == r.wanted);
    CHECK(in.s.state(0) == r.after);
}

/// All events that are not in `rows` do nothing in this state.
void check_state(worker_state before, const std::vector<row>& rows) {
    for (const event e : all_events) {
        scene in(before);
        row wanted{before, e, before, {}};
        for (const row& r : rows) {
            if (r.what == e) {
                wanted = r;
            }
        }
        for (action& a : wanted.wanted) {
            if (a.kind == action_kind::complete) {
                a.subject = &in.own;
            }
        }
        check_row(wanted, in);
        in.s.shut_down(shutdown_mode::stop);
    }
}

action completed(errc code, certainty how_certain) {
    return {.kind = action_kind::complete, .code = code, .how_certain = how_certain};
}

} // namespace

TEST_CASE("events of a worker without process", "[pool][table]") {
    const auto state = worker_state::exited;
    check_state(state, {{state, event::shut_down, state, {request_exit(1)}},
                        {state, event::stop, state, {kill(1)}}});
}

TEST_CASE("events of a starting worker", "[pool][table]") {
    const auto state = worker_state::starting;
    check_state(state, {{state, event::start_failed, worker_state::exited, {}},
                        {state, event::ready, worker_state::idle, {}},
                        {state, event::protocol_error, state, {kill(0)}},
                        {state, event::exceeded, state, {kill(0)}},
                        {state, event::exited, worker_state::exited, {}},
                        {state, event::shut_down, state, {kill(0), request_exit(1)}},
                        {state, event::stop, state, {kill(0), kill(1)}},
                        {state, event::late, state, {kill(0)}}});
}

TEST_CASE("events of an idle worker", "[pool][table]") {
    const auto state = worker_state::idle;
    const auto stopping = worker_state::stopping;
    check_state(state, {{state, event::crash_handler, stopping, {}},
                        {state, event::protocol_error, stopping, {kill(0)}},
                        {state, event::exceeded, stopping, {kill(0)}},
                        {state, event::exited, worker_state::exited, {}},
                        {state, event::shut_down, stopping, {request_exit(0), request_exit(1)}},
                        {state, event::stop, stopping, {kill(0), kill(1)}}});
}

TEST_CASE("events of a busy worker", "[pool][table]") {
    const auto state = worker_state::busy;
    const auto stopping = worker_state::stopping;
    check_state(state,
                {{state, event::replied, worker_state::idle, {completed(by_reply, certainty::ran)}},
                 {state, event::crash_handler, stopping, {recall(0, 0)}},
                 {state, event::protocol_error, stopping, {recall(0, 0), kill(0)}},
                 {state, event::exceeded, stopping, {recall(0, 0), kill(0)}},
                 {state,
                  event::exited,
                  worker_state::exited,
                  {completed(errc::worker_terminated, certainty::may_have_run)}},
                 {state, event::stop, stopping, {recall(0, 0), kill(0), kill(1)}}});
}

TEST_CASE("events of a stopping worker", "[pool][table]") {
    const auto state = worker_state::stopping;
    check_state(state, {{state, event::exited, worker_state::exited, {}},
                        {state, event::shut_down, state, {request_exit(1)}},
                        {state, event::stop, state, {kill(0), kill(1)}},
                        {state, event::late, state, {kill(0)}}});
}
