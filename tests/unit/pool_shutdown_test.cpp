#include "unit/pool_fixture.hpp"

#include <array>

using namespace coproc;
using namespace coproc::test;

namespace {

// Worker 0 runs a task and has one in its pipe; a third one waits.
struct three_tasks {
    three_tasks() {
        start_idle_worker(s);
        for (task& each : t) {
            each.grace = 50ms;
            s.submit(each);
        }
        CHECK(s.machine.look().staged == 2);
        CHECK(s.machine.look().queued == 1);
    }
    actions answer_recalls() {
        actions all = s.recalled(0, 2, slot_state::recalled);
        const actions more = s.recalled(0, 1, slot_state::begun);
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    std::array<task, 3> t;
    script s{1};
};

} // namespace

TEST_CASE("the shutdown of a pool without workers is complete at once, and once", "[pool]") {
    script s(1);
    CHECK(s.shut_down(shutdown_mode::drain) == actions{shutdown_complete()});
    CHECK(s.shut_down(shutdown_mode::drain).empty());
    CHECK(s.shut_down(shutdown_mode::stop).empty());
    CHECK(s.tick_after(1h).empty());
    task t;
    CHECK(s.try_submit(t) == admission::shut_down);
}

TEST_CASE("drain: every task is run, then the workers leave", "[pool]") {
    three_tasks w;
    CHECK(w.s.shut_down(shutdown_mode::drain).empty());
    CHECK(w.s.machine.needs_attention());
    CHECK(w.s.replies(0, {1}) == actions{complete_by_reply(w.t[0]), stage(w.t[2], 0, 3)});
    CHECK(w.s.replies(0, {2, 3}) ==
          actions{complete_by_reply(w.t[1]), complete_by_reply(w.t[2]), request_exit(0)});
    CHECK(w.s.exited(0) == actions{shutdown_complete()});
    CHECK_FALSE(w.s.machine.needs_attention());
    CHECK(w.s.machine.look().crashed_workers == 0);
}

TEST_CASE("drain: a worker that dies is replaced while tasks are left", "[pool]") {
    three_tasks w;
    w.s.shut_down(shutdown_mode::drain);
    CHECK(w.s.exited(0, {slot_state::begun, slot_state::offered}) ==
          actions{may_have_run(w.t[0], errc::worker_terminated), start(0)});
}

TEST_CASE("drain: the last task may be cancelled", "[pool]") {
    task t;
    script s(1);
    s.submit(t);
    s.shut_down(shutdown_mode::drain);
    CHECK(s.cancel(t, cancel_type::total) == actions{not_started(t, errc::cancelled), kill(0)});
    CHECK(s.exited(0) == actions{shutdown_complete()});
    CHECK_FALSE(s.machine.broken());
}

TEST_CASE("cancel_queued: what has begun is run, the rest is not", "[pool]") {
    three_tasks w;
    CHECK(w.s.shut_down(shutdown_mode::cancel_queued) ==
          actions{not_started(w.t[2], errc::executor_shutdown), recall(0, 2), recall(0, 1)});
    CHECK(w.answer_recalls() == actions{not_started(w.t[1], errc::executor_shutdown)});
    CHECK(w.s.replies(0, {1}) == actions{complete_by_reply(w.t[0]), request_exit(0)});
    CHECK(w.s.exited(0) == actions{shutdown_complete()});
}

TEST_CASE("cancel_queued: what a dying worker gives back is not started either", "[pool]") {
    three_tasks w;
    w.s.shut_down(shutdown_mode::cancel_queued);
    CHECK(w.s.exited(0, {slot_state::begun, slot_state::offered}) ==
          actions{not_started(w.t[1], errc::executor_shutdown),
                  may_have_run(w.t[0], errc::worker_terminated), shutdown_complete()});
}

TEST_CASE("kill: callers are answered, what runs is stopped, and killed after its grace",
          "[pool]") {
    three_tasks w;
    w.s.shut_down(shutdown_mode::kill);
    CHECK(w.answer_recalls() == actions{not_started(w.t[1], errc::executor_shutdown),
                                        may_have_run(w.t[0], errc::executor_shutdown),
                                        request_stop(0, 1)});
    CHECK(w.s.machine.unfinished() == 0);
    SECTION("it stops") { CHECK(w.s.replies(0, {1}) == actions{request_exit(0)}); }
    SECTION("it does not stop") {
        CHECK(w.s.tick_after(50ms) == actions{recall(0, 1)});
        CHECK(w.s.recalled(0, 1, slot_state::begun) == actions{kill(0)});
    }
    CHECK(w.s.exited(0, {slot_state::begun}) == actions{shutdown_complete()});
}

TEST_CASE("stop: workers are killed at once", "[pool]") {
    three_tasks w;
    CHECK(
        w.s.shut_down(shutdown_mode::stop) ==
        actions{not_started(w.t[2], errc::executor_shutdown), recall(0, 2), recall(0, 1), kill(0)});
    CHECK(w.answer_recalls() == actions{not_started(w.t[1], errc::executor_shutdown),
                                        may_have_run(w.t[0], errc::executor_shutdown)});
    CHECK(w.s.exited(0, {slot_state::begun}) == actions{shutdown_complete()});
}

TEST_CASE("stop: a result that has not come is lost", "[pool]") {
    task t;
    script s(1);
    start_idle_worker(s);
    s.submit(t);
    CHECK(s.shut_down(shutdown_mode::stop) == actions{recall(0, 1), kill(0)});
    CHECK(s.recalled(0, 1, slot_state::finished) ==
          actions{complete(t, errc::executor_shutdown, certainty::ran)});
}

TEST_CASE("a worker that has not said hello is killed by any shutdown without tasks", "[pool]") {
    for (const auto mode : {shutdown_mode::drain, shutdown_mode::cancel_queued, shutdown_mode::kill,
                            shutdown_mode::stop}) {
        task t;
        script s(1);
        s.submit(t);
        s.cancel(t, cancel_type::total);
        CHECK(s.shut_down(mode) == actions{kill(0)});
        CHECK(s.exited(0) == actions{shutdown_complete()});
        CHECK_FALSE(s.machine.broken());
    }
}

TEST_CASE("a shutdown may become stricter, never milder", "[pool]") {
    three_tasks w;
    CHECK(w.s.shut_down(shutdown_mode::drain).empty());
    CHECK(w.s.shut_down(shutdown_mode::cancel_queued) ==
          actions{not_started(w.t[2], errc::executor_shutdown), recall(0, 2), recall(0, 1)});
    CHECK(w.s.shut_down(shutdown_mode::drain).empty());
    CHECK(w.s.machine.shutting_down() == shutdown_mode::cancel_queued);
    // The recalls on their way are answered for the stricter reason.
    CHECK(w.s.shut_down(shutdown_mode::kill).empty());
    CHECK(w.answer_recalls() == actions{not_started(w.t[1], errc::executor_shutdown),
                                        may_have_run(w.t[0], errc::executor_shutdown),
                                        request_stop(0, 1)});
    CHECK(w.s.shut_down(shutdown_mode::stop) == actions{recall(0, 1), kill(0)});
    CHECK(w.s.recalled(0, 1, slot_state::begun).empty());
    CHECK(w.s.exited(0, {slot_state::begun}) == actions{shutdown_complete()});
}

TEST_CASE("stop kills workers that are leaving, but no worker twice", "[pool]") {
    script s(1);
    start_idle_worker(s);
    CHECK(s.shut_down(shutdown_mode::drain) == actions{request_exit(0)});
    CHECK(s.shut_down(shutdown_mode::stop) == actions{kill(0)});
    CHECK(s.tick_after(1h).empty());
    CHECK(s.exited(0) == actions{shutdown_complete()});
}
