#include "unit/pool_fixture.hpp"

using namespace coproc;
using namespace coproc::test;

// What an answer to `recall` means, for every reason to ask: `subject` lies behind another task in
// the pipe of worker 0, as its number 2, and has 50 ms of grace.
namespace {

struct asked {
    asked() {
        before.grace = subject.grace = 50ms;
        subject.deadline = s.now + 10s;
        start_idle_worker(s);
        CHECK(s.submit(before) == actions{stage(before, 0, 1)});
        CHECK(s.submit(subject) == actions{stage(subject, 0, 2)});
    }
    /// Asks for `subject` by `event`, and answers for `before` that it is running.
    void ask(const actions& got, const actions& wanted) {
        CHECK(got == wanted);
        if (wanted.size() > 1) {
            s.recalled(0, 1, slot_state::begun);
        }
    }
    actions answer(slot_state slot) { return s.recalled(0, 2, slot); }

    task before;
    task subject;
    script s{1};
};

const actions nothing;

} // namespace

TEST_CASE("recall to move: back to the queue, or left alone", "[pool]") {
    task before;
    task subject;
    script s(2);
    start_idle_worker(s);
    s.submit(before);
    CHECK(s.submit(subject) == actions{stage(subject, 0, 2), start(1)});
    CHECK(s.ready(1) == actions{recall(0, 2)});
    SECTION("recalled") {
        CHECK(s.recalled(0, 2, slot_state::recalled) == actions{stage(subject, 1, 0)});
    }
    SECTION("begun") { CHECK(s.recalled(0, 2, slot_state::begun) == nothing); }
    SECTION("finished") { CHECK(s.recalled(0, 2, slot_state::finished) == nothing); }
    CHECK(subject.state == task_state::staged);
    CHECK(s.state(0) == worker_state::busy);
}

TEST_CASE("recall after a crash: back to the queue, lost, or still to be answered", "[pool]") {
    asked a;
    a.ask(a.s.crashed(0, true), {recall(0, 2), recall(0, 1), start(1)});
    SECTION("recalled") {
        CHECK(a.answer(slot_state::recalled) == nothing);
        CHECK(a.subject.state == task_state::queued);
    }
    SECTION("begun") {
        CHECK(a.answer(slot_state::begun) ==
              actions{may_have_run(a.subject, errc::worker_terminated)});
    }
    SECTION("finished") {
        CHECK(a.answer(slot_state::finished) == nothing);
        CHECK(a.s.machine.owner(0, 2) == &a.subject);
    }
}

TEST_CASE("recall to withdraw: gone, or left alone", "[pool]") {
    asked a;
    a.ask(a.s.cancel(a.subject, cancel_type::total), {recall(0, 2)});
    SECTION("recalled") {
        CHECK(a.answer(slot_state::recalled) == actions{not_started(a.subject, errc::cancelled)});
    }
    SECTION("begun") { CHECK(a.answer(slot_state::begun) == nothing); }
    SECTION("finished") { CHECK(a.answer(slot_state::finished) == nothing); }
}

TEST_CASE("recall to stop: gone, or asked to stop", "[pool]") {
    asked a;
    a.ask(a.s.cancel(a.subject, cancel_type::partial), {recall(0, 2)});
    SECTION("recalled") {
        CHECK(a.answer(slot_state::recalled) == actions{not_started(a.subject, errc::cancelled)});
    }
    SECTION("begun") {
        CHECK(a.answer(slot_state::begun) == actions{request_stop(0, 2)});
        CHECK(a.subject.state == task_state::staged);
    }
    SECTION("finished") {
        CHECK(a.answer(slot_state::finished).empty()); // there is nothing to stop
        CHECK(a.subject.state == task_state::staged);
    }
}

TEST_CASE("recall to shut down: gone, or left to end", "[pool]") {
    asked a;
    a.ask(a.s.shut_down(shutdown_mode::cancel_queued), {recall(0, 2), recall(0, 1)});
    SECTION("recalled") {
        CHECK(a.answer(slot_state::recalled) ==
              actions{not_started(a.subject, errc::executor_shutdown)});
    }
    SECTION("begun") { CHECK(a.answer(slot_state::begun) == nothing); }
    SECTION("finished") { CHECK(a.answer(slot_state::finished) == nothing); }
}

TEST_CASE("recall to abort: gone, or given up", "[pool]") {
    asked a;
    a.ask(a.s.shut_down(shutdown_mode::kill), {recall(0, 2), recall(0, 1)});
    SECTION("recalled") {
        CHECK(a.answer(slot_state::recalled).front() ==
              not_started(a.subject, errc::executor_shutdown));
    }
    SECTION("begun") {
        const actions got = a.answer(slot_state::begun);
        CHECK(got == actions{may_have_run(a.subject, errc::executor_shutdown), request_stop(0, 2)});
        CHECK(a.s.until_tick() == 50ms);
    }
    SECTION("finished") {
        const actions got = a.answer(slot_state::finished);
        CHECK(got == actions{complete(a.subject, errc::executor_shutdown, certainty::ran),
                             request_stop(0, 2)});
    }
    CHECK(a.s.machine.unfinished() == 0);
}

TEST_CASE("recall to cancel: gone, or given up", "[pool]") {
    asked a;
    a.ask(a.s.cancel(a.subject, cancel_type::terminal), {recall(0, 2)});
    SECTION("recalled") {
        CHECK(a.answer(slot_state::recalled) == actions{not_started(a.subject, errc::cancelled)});
    }
    SECTION("begun") {
        CHECK(a.answer(slot_state::begun) ==
              actions{may_have_run(a.subject, errc::cancelled), request_stop(0, 2)});
    }
    SECTION("finished") {
        CHECK(a.answer(slot_state::finished) ==
              actions{complete(a.subject, errc::cancelled, certainty::ran), request_stop(0, 2)});
    }
}

TEST_CASE("recall after a time-out: gone, or given up", "[pool]") {
    asked a;
    a.ask(a.s.tick_after(10s), {recall(0, 2)});
    SECTION("recalled") {
        CHECK(a.answer(slot_state::recalled) == actions{not_started(a.subject, errc::timed_out)});
    }
    SECTION("begun") {
        CHECK(a.answer(slot_state::begun) ==
              actions{may_have_run(a.subject, errc::timed_out), request_stop(0, 2)});
    }
    SECTION("finished") {
        CHECK(a.answer(slot_state::finished) ==
              actions{complete(a.subject, errc::timed_out, certainty::ran), request_stop(0, 2)});
    }
}

TEST_CASE("what one worker gives back is given out in its old order", "[pool]") {
    task before;
    task first;
    task second;
    script s(1);
    start_idle_worker(s);
    std::vector<task> fill(2);
    s.submit(fill[0]);
    s.submit(fill[1]);
    s.replies(0, {1, 2}); // the window is 4 now
    s.submit(before);
    s.submit(first);
    s.submit(second);
    CHECK(s.crashed(0, true) == actions{recall(0, 5), recall(0, 4), recall(0, 3), start(1)});
    CHECK(s.recalled(0, 5, slot_state::recalled) == nothing);
    CHECK(s.recalled(0, 4, slot_state::recalled) == nothing);
    CHECK(s.recalled(0, 3, slot_state::begun) ==
          actions{may_have_run(before, errc::worker_terminated)});
    CHECK(s.ready(1) == actions{stage(first, 1, 0), stage(second, 1, 1)});
}

TEST_CASE("the frames of tasks that were taken back fill the pipe until the worker is past them",
          "[pool]") {
    coproc::pool::limits l = limits_for(1);
    l.max_pipe_bytes = 1000;
    script s(l);
    std::array<task, 3> t;
    task next;
    for (task& each : t) {
        each.frame_bytes = 600;
    }
    start_idle_worker(s);
    CHECK(s.submit(t[0]).size() == 1);
    CHECK(s.submit(t[1]).size() == 1);
    s.cancel(t[1], cancel_type::total);
    s.recalled(0, t[1].sequence, slot_state::recalled);
    CHECK(s.machine.worker_at(0).tasks.bytes() == 1200);
    CHECK(s.submit(next).empty()); // it waits in the queue: the pipe is full
    CHECK(s.replies(0, {t[0].sequence}).size() == 2);
    CHECK(s.machine.worker_at(0).tasks.bytes() == next.frame_bytes);
    s.shut_down(shutdown_mode::stop);
}
