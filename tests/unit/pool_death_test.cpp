#include "unit/pool_fixture.hpp"

#include <algorithm>
#include <array>

using namespace coproc;
using namespace coproc::test;

namespace {

// Worker 0 with three tasks in its pipe, numbers 3 to 5, and a window of 4.
struct three_staged {
    three_staged() {
        std::array<task, 2> fill;
        start_idle_worker(s);
        s.submit(fill[0]);
        s.submit(fill[1]);
        s.replies(0, {1, 2});
        for (task& each : t) {
            s.submit(each);
        }
        CHECK(s.machine.worker_at(0).tasks.unsettled() == 3);
    }

    std::array<task, 3> t;
    script s{1};
};

} // namespace

TEST_CASE("a dead worker's tasks are judged by their slots", "[pool]") {
    three_staged w;
    const actions got =
        w.s.exited(0, {slot_state::finished, slot_state::begun, slot_state::offered});
    CHECK(got == actions{may_have_run(w.t[1], errc::worker_terminated),
                         complete(w.t[0], errc::worker_terminated, certainty::ran), start(0)});
    CHECK(w.t[2].state == task_state::queued);
    CHECK(w.s.machine.look().crashed_workers == 1);
    CHECK(w.s.ready(0) == actions{stage(w.t[2], 0, 0)});
}

TEST_CASE("what was never begun goes to the next worker in its old order, before the rest",
          "[pool]") {
    task waiting;
    three_staged w;
    std::array<task, 2> more;
    w.s.submit(more[0]); // the pipe is full now
    w.s.submit(waiting);
    const slot_state offered = slot_state::offered;
    CHECK(w.s.exited(0, {offered, offered, offered, offered}) == actions{start(0)});
    // A new worker begins with a window of 2.
    CHECK(w.s.ready(0) == actions{stage(w.t[0], 0, 0), stage(w.t[1], 0, 1)});
    CHECK(w.s.replies(0, {0, 1}) == actions{complete_by_reply(w.t[0]), complete_by_reply(w.t[1]),
                                            stage(w.t[2], 0, 2), stage(more[0], 0, 3),
                                            stage(waiting, 0, 4)});
    w.s.shut_down(shutdown_mode::stop);
}

TEST_CASE("a slot whose recall was not answered before the end is judged by the reason", "[pool]") {
    three_staged w;
    w.s.cancel(w.t[1], cancel_type::terminal);
    CHECK(w.s.exited(0, {slot_state::begun, slot_state::recalled, slot_state::offered}) ==
          actions{not_started(w.t[1], errc::cancelled),
                  may_have_run(w.t[0], errc::worker_terminated), start(0)});
}

TEST_CASE("a given-up task is judged by nobody", "[pool]") {
    three_staged w;
    w.s.cancel(w.t[0], cancel_type::terminal);
    w.s.recalled(0, 3, slot_state::begun);
    CHECK(w.t[0].state == task_state::done);
    CHECK(w.s.exited(0, {slot_state::begun, slot_state::offered, slot_state::offered}) ==
          actions{start(0)});
}

TEST_CASE("a worker in its fatal-signal handler loses its tasks, not its time", "[pool]") {
    three_staged w;
    CHECK(w.s.crashed(0, true) == actions{recall(0, 5), recall(0, 4), recall(0, 3), start(1)});
    CHECK(w.s.state(0) == worker_state::stopping);
    w.s.recalled(0, 5, slot_state::recalled);
    w.s.recalled(0, 4, slot_state::recalled);
    // The caller of the task that it was running is told now, not when the process is gone.
    CHECK(w.s.recalled(0, 3, slot_state::begun) ==
          actions{may_have_run(w.t[0], errc::worker_terminated)});
    CHECK(w.s.until_tick() == 200ms);

    SECTION("it ends") { CHECK(w.s.exited(0, {slot_state::begun}).empty()); }
    SECTION("it does not end") { CHECK(w.s.tick_after(200ms) == actions{kill(0)}); }
    CHECK(w.s.machine.look().crashed_workers == 1);
    CHECK(w.s.crashed(0, true).empty());
}

TEST_CASE("a worker that breaks the protocol is killed, after its tasks are taken back", "[pool]") {
    three_staged w;
    CHECK(w.s.crashed(0, false) ==
          actions{recall(0, 5), recall(0, 4), recall(0, 3), kill(0), start(1)});
    CHECK(w.s.crashed(0, false).empty());
}

TEST_CASE("a crash while the worker starts is a failed start", "[pool]") {
    task t;
    script s(1);
    s.submit(t);
    SECTION("in its handler") {
        CHECK(s.crashed(0, true).empty());
        CHECK(s.until_tick() == 200ms);
    }
    SECTION("by protocol") { CHECK(s.crashed(0, false) == actions{kill(0)}); }
    CHECK(s.exited(0) == actions{start(0)});
    CHECK(s.machine.look().crashed_workers == 0);
}

TEST_CASE("the death of an idle worker changes nothing until there is a task", "[pool]") {
    task t;
    script s(1);
    start_idle_worker(s);
    CHECK(s.exited(0).empty());
    CHECK(s.state(0) == worker_state::exited);
    CHECK(s.submit(t) == actions{start(0)});
}

TEST_CASE("a worker that its task killed is replaced at once, however often", "[pool]") {
    std::array<task, 10> t;
    script s(1);
    for (std::uint32_t n = 0; n < t.size(); ++n) {
        CHECK(s.submit(t[n]) == actions{start(0)});
        CHECK(s.ready(0) == actions{stage(t[n], 0, 0)});
        CHECK(s.exited(0, {slot_state::begun}) ==
              actions{may_have_run(t[n], errc::worker_terminated)});
    }
    CHECK_FALSE(s.machine.broken());
    CHECK(s.machine.look().crashed_workers == 10);
}

TEST_CASE("starts that fail in a row break a pool that never had a worker", "[pool]") {
    std::array<task, 2> t;
    script s(1); // gives up after 3
    CHECK(s.submit(t[0]) == actions{start(0)});
    CHECK(s.start_failed(0) == actions{start(0)}); // the first retry is at once
    CHECK(s.start_failed(0).empty());
    CHECK(s.until_tick() == 10ms);
    CHECK(s.tick_after(10ms) == actions{start(0)});
    CHECK(s.start_failed(0) == actions{not_started(t[0], errc::spawn_failed)});
    CHECK(s.machine.broken());
    CHECK(s.try_submit(t[1]) == admission::broken);
    CHECK_FALSE(s.machine.needs_attention());
    CHECK(s.shut_down(shutdown_mode::drain) == actions{shutdown_complete()});
}

TEST_CASE("a pool that had a worker fails the tasks and tries again with the next", "[pool]") {
    std::array<task, 2> t;
    script s(1);
    start_idle_worker(s);
    s.exited(0);
    s.submit(t[0]);
    s.start_failed(0);
    s.start_failed(0);
    s.tick_after(10ms);
    CHECK(s.start_failed(0) == actions{not_started(t[0], errc::spawn_failed)});
    CHECK_FALSE(s.machine.broken());
    CHECK(s.submit(t[1]) == actions{start(0)});
}

TEST_CASE("a death before the hello says why", "[pool]") {
    pool::limits l = limits_for(1);
    l.max_failed_starts = 1;
    task t;
    script s(l);
    s.submit(t);
    CHECK(s.exited(0) == actions{not_started(t, errc::worker_terminated)});
    CHECK(s.machine.broken());
}

TEST_CASE("starts that fail beside a working worker fail no task, and wait longer each time",
          "[pool]") {
    std::array<task, 2> t;
    script s(2);
    start_idle_worker(s);
    s.submit(t[0]);
    CHECK(s.submit(t[1]) == actions{stage(t[1], 0, 2), start(1)});
    CHECK(s.start_failed(1) == actions{start(1)});
    for (const auto wait : {10ms, 20ms, 40ms, 80ms, 160ms, 320ms, 640ms, 1280ms, 2560ms, 5120ms,
                            10240ms, 20480ms, 40960ms, 40960ms}) {
        CHECK(s.start_failed(1).empty());
        CHECK(s.until_tick() == wait);
        CHECK(s.tick_after(wait) == actions{start(1)});
    }
    CHECK(s.replies(0, {1, 2}) == actions{complete_by_reply(t[0]), complete_by_reply(t[1])});
    CHECK_FALSE(s.machine.broken());
}

TEST_CASE("a task that workers die of before they begin it ends, and no other does", "[pool]") {
    std::array<task, 2> t;
    script s(1); // half of 3 deaths, rounded up, at least 2
    CHECK(s.submit(t[0]) == actions{start(0)});
    s.submit(t[1]);
    CHECK(s.ready(0) == actions{stage(t[0], 0, 0), stage(t[1], 0, 1)});
    CHECK(s.exited(0, {slot_state::offered, slot_state::offered}) == actions{start(0)});
    CHECK(s.ready(0) == actions{stage(t[0], 0, 0), stage(t[1], 0, 1)});
    CHECK(s.exited(0, {slot_state::offered, slot_state::offered}) ==
          actions{not_started(t[0], errc::worker_terminated), start(0)});
    CHECK(s.ready(0) == actions{stage(t[1], 0, 0)});
    CHECK(s.replies(0, {0}) == actions{complete_by_reply(t[1])});
}

TEST_CASE("a task that workers die of ends also if they have worked, or others work", "[pool]") {
    std::array<task, 2> t;
    script s(2);
    start_idle_worker(s);
    s.submit(t[0]);
    for (int deaths = 1;; ++deaths) {
        const actions got = s.exited(0, {slot_state::offered});
        if (deaths == 2) {
            CHECK(got == actions{not_started(t[0], errc::worker_terminated)});
            break;
        }
        CHECK(got == actions{start(0)});
        s.ready(0);
    }
    CHECK(s.submit(t[1]) == actions{start(0)});
}

TEST_CASE("a worker that has begun another task, or was found dead, accuses none", "[pool]") {
    std::array<task, 5> before;
    task t;
    script s(1);
    for (task& each : before) {
        each.priority = 1'000'000;
        s.submit(each);
        if (t.state == task_state::created) {
            s.submit(t);
        }
        s.ready(0);
        CHECK(s.found_dead(0) == actions{start(1)});
        s.exited(0, {slot_state::offered, slot_state::offered});
        s.ready(1);
        s.exited(1, {slot_state::begun, slot_state::offered});
        CHECK(each.state == task_state::done);
        CHECK(t.state == task_state::queued);
    }
    s.shut_down(shutdown_mode::stop);
}

TEST_CASE("what waits behind a task whose result ends the worker is not accused", "[pool]") {
    task first;
    task t;
    first.retries = 20;
    script s(1);
    s.submit(first);
    s.submit(t);
    for (int deaths = 0; deaths < 10; ++deaths) {
        s.ready(0);
        s.exited(0, {slot_state::finished, slot_state::offered});
        CHECK(t.state == task_state::queued);
    }
    s.shut_down(shutdown_mode::stop);
}

TEST_CASE("what waits for a worker that dies of cleaning up is not accused", "[pool]") {
    task t;
    script s(1);
    start_idle_worker(s);
    s.machine.cleaning(0, s.now);
    s.submit(t);
    CHECK(s.exited(0, {slot_state::offered}) == actions{start(0)});
    CHECK(t.deaths_before == 0);
    s.shut_down(shutdown_mode::stop);
}

TEST_CASE("workers that die before they begin anything fail what waits, after a bounded number",
          "[pool]") {
    std::array<task, 4> t;
    script s(1);
    for (task& each : t) {
        s.submit(each);
    }
    int deaths = 0;
    for (; t[3].state != task_state::done && deaths < 20; ++deaths) {
        s.tick_after(20ms);
        s.ready(0);
        s.exited(0, {slot_state::offered, slot_state::offered});
    }
    CHECK(deaths == 5);              // two accused tasks, and three failed starts
    CHECK_FALSE(s.machine.broken()); // they were ready
}

namespace {

/// Workers that were started in advance, and have done nothing.
struct eight_idle {
    eight_idle() {
        CHECK(s.machine.warm_up(warm, 8, s.now, s.out()) == admission::accepted);
        s.out().clear();
        for (std::uint32_t i = 0; i < 8; ++i) {
            s.ready(i);
        }
        s.now += 1ms;
    }

    task warm;
    script s{8};
};

} // namespace

TEST_CASE("however many idle workers are found dead, the task gets a new one at once", "[pool]") {
    task t;
    eight_idle w;
    actions got = w.s.submit(t);
    for (int i = 0; i < 8; ++i) {
        REQUIRE(got.size() == 1);
        REQUIRE(got[0].kind == action_kind::stage);
        const std::uint32_t dead = got[0].worker;
        CHECK(w.s.found_dead(dead).empty());
        got = w.s.exited(dead, {slot_state::offered});
    }
    REQUIRE(got.size() == 1);
    CHECK(got[0].kind == action_kind::start_worker);
    CHECK(w.s.ready(got[0].worker) == actions{stage(t, got[0].worker, 0)});
    w.s.shut_down(shutdown_mode::stop);
}

TEST_CASE("idle workers that die together count as one, and fail no task", "[pool]") {
    task t;
    eight_idle w;
    for (std::uint32_t i = 0; i < 8; ++i) {
        w.s.exited(i);
    }
    CHECK(w.s.submit(t) == actions{start(0)});
    CHECK(w.s.start_failed(0).empty());
    CHECK(t.state == task_state::queued);
    w.s.shut_down(shutdown_mode::stop);
}

TEST_CASE("starts that fail together count as one", "[pool]") {
    std::array<task, 8> t;
    script s(8);
    for (task& each : t) {
        s.submit(each);
    }
    s.now += 1ms;
    for (std::uint32_t i = 0; i < 7; ++i) {
        CHECK(s.start_failed(i).empty());
    }
    CHECK(s.start_failed(7) == actions{start(0)}); // one tries whether it works now
    s.now += 1ms;
    CHECK(s.start_failed(0).empty());
    CHECK_FALSE(s.machine.broken());
    CHECK(s.tick_after(10ms) == actions{start(0)});
    SECTION("it does") {
        actions got = s.ready(0);
        CHECK(std::count_if(got.begin(), got.end(), [](const action& a) {
                  return a.kind == action_kind::start_worker;
              }) == 7); // also for what waits behind another task
    }
    SECTION("it does not") {
        s.now += 1ms;
        CHECK(s.start_failed(0).size() == 8); // all tasks fail
        CHECK(s.machine.broken());
    }
    s.shut_down(shutdown_mode::stop);
}

TEST_CASE("a dead worker gets no task, though the replies that it left make room", "[pool]") {
    three_staged w;
    std::array<task, 3> more;
    w.s.submit(more[0]); // the pipe is full now
    w.s.submit(more[1]);
    w.s.submit(more[2]);
    w.s.died(0);
    CHECK(w.s.machine.look().crashed_workers == 1);
    const actions got = w.s.replies(0, {3, 4});
    CHECK(got == actions{complete_by_reply(w.t[0]), complete_by_reply(w.t[1]), start(1)});
    CHECK(w.s.exited(0, {slot_state::begun, slot_state::offered}) ==
          actions{may_have_run(w.t[2], errc::worker_terminated)});
    CHECK(w.s.machine.look().crashed_workers == 1);
    CHECK(more[0].state == task_state::queued);
    w.s.shut_down(shutdown_mode::stop);
}

TEST_CASE("a start that is withdrawn leaves nothing, and the one that failed counts once",
          "[pool]") {
    std::array<task, 3> t;
    script s(3);
    for (std::uint32_t i = 0; i < 3; ++i) {
        CHECK(s.submit(t[i]) == actions{start(i)});
    }
    // One zygote for all of them could not be started.
    s.machine.start_withdrawn(1);
    s.machine.start_withdrawn(2);
    CHECK(s.state(1) == worker_state::exited);
    CHECK(s.start_failed(0) == actions{start(0)});
    CHECK(s.start_failed(0).empty()); // the second failure waits
    CHECK_FALSE(s.machine.broken());
    CHECK(s.tick_after(10ms) == actions{start(0)});
    CHECK(s.ready(0) == actions{stage(t[0], 0, 0), stage(t[1], 0, 1), start(1), start(2)});
    s.machine.start_withdrawn(0); // it is ready: this comes too late
    CHECK(s.state(0) == worker_state::busy);
}
