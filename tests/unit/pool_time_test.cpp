#include "unit/pool_fixture.hpp"

#include <array>

using namespace coproc;
using namespace coproc::test;

TEST_CASE("a task whose time is over before it begins never starts", "[pool]") {
    task t;
    script s(1);
    bool overran = false;
    SECTION("its deadline is now") { t.deadline = s.now; }
    SECTION("its deadline is past") { t.deadline = s.now - 1ms; }
    SECTION("its deadline is past, and it may run for no time") {
        t.deadline = s.now - 1ms;
        t.run_timeout = 0ms;
    }
    SECTION("it may run for no time") {
        t.run_timeout = 0ms;
        overran = true;
    }
    SECTION("it may run for less than no time") {
        t.run_timeout = -1ms;
        overran = true;
    }
    CHECK(s.submit(t) == actions{not_started(t, errc::timed_out)});
    CHECK(s.machine.look().submitted == 1);
    CHECK_FALSE(s.machine.needs_attention());
    CHECK(t.overran == overran);
}

TEST_CASE("a deadline ends a task that waits in the queue", "[pool]") {
    task t;
    script s(1);
    t.deadline = s.now + 5ms;
    s.submit(t);
    CHECK(s.until_tick() == 5ms);
    CHECK(s.tick_after(4ms).empty());
    CHECK(s.tick_after(1ms) == actions{not_started(t, errc::timed_out)});
    CHECK(s.machine.look().queued == 0);
}

TEST_CASE("deadlines come in their own order", "[pool]") {
    std::array<task, 3> t;
    script s(1);
    t[0].deadline = s.now + 30ms;
    t[1].deadline = s.now + 10ms;
    t[2].deadline = s.now + 20ms;
    for (task& each : t) {
        s.submit(each);
    }
    CHECK(s.until_tick() == 10ms);
    CHECK(s.tick_after(20ms) ==
          actions{not_started(t[1], errc::timed_out), not_started(t[2], errc::timed_out)});
    CHECK(s.until_tick() == 10ms);
}

TEST_CASE("a deadline ends a running task", "[pool]") {
    task t;
    script s(1);
    start_idle_worker(s);
    t.deadline = s.now + 5ms;
    t.grace = 10ms;
    s.submit(t);
    CHECK(s.tick_after(5ms) == actions{recall(0, 1)});
    CHECK(s.recalled(0, 1, slot_state::begun) ==
          actions{may_have_run(t, errc::timed_out), request_stop(0, 1)});
    CHECK(s.until_tick() == 10ms);
    CHECK_FALSE(t.overran);
}

TEST_CASE("a run time-out counts from the start, and the nearer end counts", "[pool]") {
    task t;
    script s(1);
    t.run_timeout = 20ms;
    SECTION("without deadline") {
        s.submit(t);
        CHECK(t.expiry == never);
        s.tick_after(50ms);
        s.ready(0);
        CHECK(s.until_tick() == 20ms);
        CHECK(s.tick_after(20ms) == actions{recall(0, 0)});
        CHECK(t.overran);
    }
    SECTION("with a nearer deadline") {
        t.deadline = s.now + 60ms;
        s.submit(t);
        CHECK(s.until_tick() == 60ms);
        s.tick_after(50ms);
        s.ready(0);
        CHECK(s.until_tick() == 10ms);
        CHECK(s.tick_after(10ms) == actions{recall(0, 0)});
        CHECK_FALSE(t.overran);
    }
}

TEST_CASE("a task that is given back has its run before it again", "[pool]") {
    task t;
    script s(1);
    start_idle_worker(s);
    t.run_timeout = 20ms;
    s.submit(t);
    CHECK(s.until_tick() == 20ms);
    CHECK(s.exited(0, {slot_state::offered}) == actions{start(0)});
    CHECK(t.expiry == never);
    CHECK(s.tick_after(30ms).empty());
    CHECK(t.state == task_state::queued);
}

TEST_CASE("an answer in time takes the deadline away", "[pool]") {
    task t;
    script s(1);
    start_idle_worker(s);
    t.deadline = s.now + 5ms;
    s.submit(t);
    s.replies(0, {1});
    CHECK(s.machine.next_tick() == never);
    CHECK(s.tick_after(10ms).empty());
}

TEST_CASE("a worker that does not say hello in time is killed and replaced", "[pool]") {
    task t;
    script s(1);
    s.submit(t);
    CHECK(s.tick_after(1h).empty()); // it waits for its process, which others see to
    s.started(0);
    CHECK(s.until_tick() == 1000ms);
    CHECK(s.tick_after(1000ms) == actions{kill(0)});
    CHECK(s.state(0) == worker_state::starting);
    CHECK(s.machine.next_tick() == never);
    SECTION("its hello comes too late") { CHECK(s.ready(0).empty()); }
    CHECK(s.exited(0) == actions{start(0)});
    CHECK(s.ready(0) == actions{stage(t, 0, 0)});
}

TEST_CASE("a worker that is killed before it has its process gets no limit", "[pool]") {
    task t;
    script s(1);
    s.submit(t);
    CHECK(s.shut_down(shutdown_mode::stop) ==
          actions{not_started(t, errc::executor_shutdown), kill(0)});
    s.started(0);
    CHECK(s.machine.next_tick() == never);
}

TEST_CASE("the initializers of a worker have their own time", "[pool]") {
    task t;
    pool::limits l = limits_for(1);
    l.initializer_timeout = 50ms;
    script s(l);
    s.submit(t);
    s.now += 900ms;
    s.machine.greeted(0, s.now);
    CHECK(s.until_tick() == 50ms);
    SECTION("they end in time") {
        CHECK(s.ready(0) == actions{stage(t, 0, 0)});
        CHECK(s.machine.next_tick() == never);
    }
    SECTION("they do not") {
        CHECK(s.tick_after(50ms) == actions{kill(0)});
        s.machine.greeted(0, s.now); // it comes too late
        CHECK(s.machine.next_tick() == never);
        CHECK(s.exited(0) == actions{start(0)});
    }
}

TEST_CASE("a start begins anew when a task comes after nobody waited for it", "[pool]") {
    std::array<task, 2> t;
    script s(1);
    s.submit(t[0]);
    s.started(0);
    s.cancel(t[0], cancel_type::total);
    CHECK_FALSE(s.machine.needs_attention());
    s.now += 1h;
    CHECK(s.submit(t[1]).empty());
    CHECK(s.until_tick() == 1000ms);
}

TEST_CASE("so do initializers, which keep their own time", "[pool]") {
    std::array<task, 3> t;
    pool::limits l = limits_for(1);
    l.initializer_timeout = 7000ms;
    l.watch_idle = GENERATE(false, true);
    script s(l);
    s.submit(t[0]);
    s.machine.greeted(0, s.now);
    s.now += 5000ms;
    s.submit(t[1]);
    CHECK(s.until_tick() == 2000ms); // somebody waited all the time
    s.cancel(t[0], cancel_type::total);
    s.cancel(t[1], cancel_type::total);
    s.now += 1000ms;
    s.submit(t[2]);
    CHECK(s.until_tick() == (l.watch_idle ? 1000ms : 7000ms));
}

TEST_CASE("a worker that has no process yet gets no limit when a task comes", "[pool]") {
    std::array<task, 2> t;
    script s(1);
    s.submit(t[0]);
    s.cancel(t[0], cancel_type::total);
    CHECK(s.submit(t[1]).empty());
    CHECK(s.machine.next_tick() == never);
}

TEST_CASE("a worker that does not leave in time is killed", "[pool]") {
    script s(1);
    start_idle_worker(s);
    CHECK(s.shut_down(shutdown_mode::drain) == actions{request_exit(0)});
    CHECK(s.until_tick() == 500ms);
    CHECK(s.tick_after(500ms) == actions{kill(0)});
    CHECK(s.machine.next_tick() == never);
    CHECK(s.exited(0) == actions{shutdown_complete()});
}

TEST_CASE("times that never come do not overflow", "[pool]") {
    CHECK(pool::after(pool::time_point{1h}, pool::no_limit) == never);
    CHECK(pool::after(never, 1ms) == never);
    CHECK(pool::after(pool::time_point{1h}, 1ms) == pool::time_point{1h + 1ms});
    CHECK(pool::after(pool::time_point{1h}, -1ms) == pool::time_point{1h - 1ms});
}

TEST_CASE("the pool needs attention while something must happen by itself", "[pool]") {
    task t;
    script s(1);
    CHECK_FALSE(s.machine.needs_attention());
    s.submit(t);
    CHECK(s.machine.needs_attention()); // a queued task
    s.ready(0);
    CHECK(s.machine.needs_attention()); // a staged one
    s.replies(0, {0});
    CHECK_FALSE(s.machine.needs_attention()); // an idle worker
    s.crashed(0, true);
    CHECK(s.machine.needs_attention()); // one on its way out
    s.exited(0);
    CHECK_FALSE(s.machine.needs_attention());
    CHECK(s.machine.next_tick() == never);
    CHECK(s.shut_down(shutdown_mode::drain) == actions{shutdown_complete()});
    CHECK_FALSE(s.machine.needs_attention());
}
