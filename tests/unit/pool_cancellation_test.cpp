#include "unit/pool_fixture.hpp"

#include <array>

using namespace coproc;
using namespace coproc::test;

namespace {

constexpr std::array all_types{cancel_type::total, cancel_type::partial, cancel_type::terminal};

// What is cancelled here has a grace of 50 ms.
struct one_staged {
    one_staged() {
        t.grace = 50ms;
        start_idle_worker(s);
        CHECK(s.submit(t) == actions{stage(t, 0, 1)});
    }
    actions cancel_and_answer(cancel_type type, slot_state slot) {
        CHECK(s.cancel(t, type) == actions{recall(0, 1)});
        return s.recalled(0, 1, slot);
    }

    task t;
    script s{1};
};

} // namespace

TEST_CASE("a queued task is withdrawn by every type of cancellation", "[pool]") {
    for (const cancel_type type : all_types) {
        task t;
        script s(1);
        s.submit(t);
        CHECK(s.cancel(t, type) == actions{not_started(t, errc::cancelled)});
        CHECK(s.machine.unfinished() == 0);
        CHECK(s.machine.look().queued == 0);
        CHECK(s.cancel(t, type).empty());
        CHECK(s.ready(0).empty());
    }
}

TEST_CASE("a task that was never submitted, or is done, is not cancelled", "[pool]") {
    for (const cancel_type type : all_types) {
        task created;
        one_staged one;
        CHECK(one.s.cancel(created, type).empty());
        one.s.replies(0, {1});
        CHECK(one.s.cancel(one.t, type).empty());
    }
}

TEST_CASE("a staged task that has not begun is withdrawn by every type", "[pool]") {
    for (const cancel_type type : all_types) {
        one_staged one;
        CHECK(one.cancel_and_answer(type, slot_state::recalled) ==
              actions{not_started(one.t, errc::cancelled)});
        CHECK(one.s.state(0) == worker_state::idle);
    }
}

TEST_CASE("total cancellation leaves a task alone that has begun", "[pool]") {
    for (const slot_state slot : {slot_state::begun, slot_state::finished}) {
        one_staged one;
        CHECK(one.cancel_and_answer(cancel_type::total, slot).empty());
        CHECK(one.s.machine.owner(0, 1) == &one.t);
        CHECK(one.s.replies(0, {1}) == actions{complete_by_reply(one.t)});
    }
}

TEST_CASE("partial cancellation asks a running task to stop and goes on waiting", "[pool]") {
    one_staged one;
    CHECK(one.cancel_and_answer(cancel_type::partial, slot_state::begun) ==
          actions{request_stop(0, 1)});
    CHECK(one.s.machine.next_tick() == never);
    CHECK(one.s.replies(0, {1}) == actions{complete_by_reply(one.t)});
}

TEST_CASE("terminal cancellation answers at once and asks a running task to stop", "[pool]") {
    one_staged one;
    CHECK(one.cancel_and_answer(cancel_type::terminal, slot_state::begun) ==
          actions{may_have_run(one.t, errc::cancelled), request_stop(0, 1)});
    CHECK(one.s.machine.unfinished() == 0);
    CHECK(one.s.machine.needs_attention());
    CHECK(one.s.machine.owner(0, 1) == nullptr);
    CHECK(one.s.until_tick() == 50ms);

    SECTION("a late answer is swallowed, and the worker goes on") {
        CHECK(one.s.replies(0, {1}).empty());
        CHECK(one.s.state(0) == worker_state::idle);
        CHECK_FALSE(one.s.machine.needs_attention());
        CHECK(one.s.machine.next_tick() == never);
    }
    SECTION("a task that is still running after its grace costs its worker") {
        CHECK(one.s.tick_after(50ms) == actions{recall(0, 1)});
        CHECK(one.s.machine.worker_at(0).condemned);
        CHECK(one.s.recalled(0, 1, slot_state::begun) == actions{kill(0)});
        CHECK(one.s.state(0) == worker_state::stopping);
        CHECK(one.s.machine.next_tick() == never);
        CHECK(one.s.machine.needs_attention());
        CHECK(one.s.exited(0, {slot_state::begun}).empty());
        CHECK_FALSE(one.s.machine.needs_attention());
        CHECK(one.s.machine.look().crashed_workers == 0);
    }
    SECTION("one that has returned gets time to encode its result, once") {
        CHECK(one.s.tick_after(50ms) == actions{recall(0, 1)});
        CHECK(one.s.recalled(0, 1, slot_state::finished).empty());
        CHECK_FALSE(one.s.machine.worker_at(0).condemned);
        CHECK(one.s.until_tick() == 100ms);
        CHECK(one.s.tick_after(100ms) == actions{recall(0, 1)});
        CHECK(one.s.recalled(0, 1, slot_state::finished) == actions{kill(0)});
    }
    SECTION("an answer that overtakes the kill saves the worker") {
        CHECK(one.s.tick_after(50ms) == actions{recall(0, 1)});
        CHECK(one.s.replies(0, {1}).empty());
        CHECK(one.s.recalled(0, 1, slot_state::finished).empty());
        CHECK(one.s.state(0) == worker_state::idle);
        CHECK(one.s.machine.worker_at(0).takes_tasks());
    }
}

TEST_CASE("terminal cancellation of a task that has returned: it ran", "[pool]") {
    one_staged one;
    CHECK(one.cancel_and_answer(cancel_type::terminal, slot_state::finished) ==
          actions{complete(one.t, errc::cancelled, certainty::ran), request_stop(0, 1)});
    CHECK(one.s.until_tick() == 100ms); // the longer of grace and time to encode
}

TEST_CASE("without grace a running task costs its worker at once", "[pool]") {
    one_staged one;
    one.t.grace = 0ms;
    CHECK(one.cancel_and_answer(cancel_type::terminal, slot_state::begun) ==
          actions{may_have_run(one.t, errc::cancelled), request_stop(0, 1), recall(0, 1)});
    CHECK(one.s.recalled(0, 1, slot_state::begun) == actions{kill(0)});
}

TEST_CASE("with endless grace nobody is killed", "[pool]") {
    one_staged one;
    one.t.grace = pool::no_limit;
    CHECK(one.cancel_and_answer(cancel_type::terminal, slot_state::begun) ==
          actions{may_have_run(one.t, errc::cancelled), request_stop(0, 1)});
    CHECK(one.s.machine.next_tick() == never);
    CHECK_FALSE(one.s.machine.needs_attention());
}

TEST_CASE("a later and stronger reason counts when the answer comes", "[pool]") {
    one_staged one;
    CHECK(one.s.cancel(one.t, cancel_type::total) == actions{recall(0, 1)});
    CHECK(one.s.cancel(one.t, cancel_type::terminal).empty());
    CHECK(one.s.cancel(one.t, cancel_type::partial).empty());
    CHECK(one.s.recalled(0, 1, slot_state::begun) ==
          actions{may_have_run(one.t, errc::cancelled), request_stop(0, 1)});
}

TEST_CASE("an answer to a recall that nobody awaits does nothing", "[pool]") {
    one_staged one;
    CHECK(one.s.recalled(0, 1, slot_state::begun).empty());
    CHECK(one.s.cancel(one.t, cancel_type::terminal) == actions{recall(0, 1)});
    CHECK(one.s.replies(0, {1}) == actions{complete_by_reply(one.t)});
    CHECK(one.s.recalled(0, 1, slot_state::finished).empty());
}

namespace {

// A task that was given up and is overdue, with another one behind it.
struct one_condemned {
    one_condemned() {
        guilty.grace = 50ms;
        start_idle_worker(s);
        s.submit(guilty);
        s.submit(innocent);
        s.cancel(guilty, cancel_type::terminal);
        s.recalled(0, 1, slot_state::begun);
        CHECK(s.tick_after(50ms) == actions{recall(0, 2), recall(0, 1)});
    }

    task guilty;
    task innocent;
    script s{1};
};

} // namespace

TEST_CASE("what lies behind an overdue task is taken back before the kill", "[pool]") {
    one_condemned one;
    CHECK(one.s.recalled(0, 2, slot_state::recalled).empty());
    // The replacement starts when the signal is sent.
    CHECK(one.s.recalled(0, 1, slot_state::begun) == actions{kill(0), start(1)});
    CHECK(one.innocent.state == task_state::queued);
    CHECK(one.s.exited(0, {slot_state::begun}).empty());
    CHECK(one.s.ready(1) == actions{stage(one.innocent, 1, 0)});
}

TEST_CASE("a worker that has begun another task meanwhile is not killed", "[pool]") {
    one_condemned one;
    CHECK(one.s.recalled(0, 2, slot_state::begun).empty());
    CHECK(one.s.recalled(0, 1, slot_state::finished).empty());
    CHECK(one.s.machine.worker_at(0).takes_tasks());
    CHECK(one.s.machine.next_tick() == never);
    CHECK(one.s.replies(0, {1, 2}) == actions{complete_by_reply(one.innocent)});
}

TEST_CASE("an old answer does not outweigh that a later task has begun", "[pool]") {
    one_condemned one;
    CHECK(one.s.recalled(0, 2, slot_state::begun).empty());
    CHECK(one.s.recalled(0, 1, slot_state::begun).empty()); // read before it finished
    CHECK(one.s.state(0) == worker_state::busy);
}

TEST_CASE("a task that is given up when a later one has begun costs nobody anything", "[pool]") {
    task cancelled;
    task innocent;
    script s(1);
    start_idle_worker(s);
    s.submit(cancelled); // with no grace at all
    s.submit(innocent);
    CHECK(s.cancel(cancelled, cancel_type::terminal) == actions{recall(0, 1)});
    CHECK(s.cancel(innocent, cancel_type::total) == actions{recall(0, 2)});
    CHECK(s.recalled(0, 2, slot_state::begun).empty());
    CHECK(s.recalled(0, 1, slot_state::begun) == actions{may_have_run(cancelled, errc::cancelled)});
    CHECK(s.machine.worker_at(0).takes_tasks());
    CHECK(s.replies(0, {1, 2}) == actions{complete_by_reply(innocent)});
}

TEST_CASE("a condemned worker gets no task, and counts as one until it is killed", "[pool]") {
    task late;
    one_condemned one;
    CHECK(one.s.submit(late).empty());
    CHECK(one.s.recalled(0, 2, slot_state::recalled).empty());
    CHECK(one.s.recalled(0, 1, slot_state::finished) == actions{stage(one.innocent, 0, 3)});
    CHECK(late.state == task_state::queued);
}

TEST_CASE("two overdue tasks in a row: the first is over, the second costs the worker", "[pool]") {
    std::array<task, 2> t;
    script s(1);
    start_idle_worker(s);
    s.submit(t[0]);
    s.submit(t[1]);
    t[0].grace = t[1].grace = 50ms;
    s.cancel(t[0], cancel_type::terminal);
    s.recalled(0, 1, slot_state::begun);
    s.cancel(t[1], cancel_type::terminal);
    CHECK(s.recalled(0, 2, slot_state::begun) ==
          actions{may_have_run(t[1], errc::cancelled), request_stop(0, 2)});
    CHECK(s.tick_after(50ms) == actions{recall(0, 2), recall(0, 1)});
    CHECK(s.recalled(0, 2, slot_state::begun).empty());
    CHECK(s.recalled(0, 1, slot_state::finished) == actions{kill(0)});
}
