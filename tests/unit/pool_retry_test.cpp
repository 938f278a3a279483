#include "unit/pool_fixture.hpp"

// A task whose worker dies is run again as often as its options say, and no oftener.
using namespace coproc;
using namespace coproc::test;

namespace {

struct one_begun {
    task t;
    script s{1};

    explicit one_begun(unsigned retries) {
        t.retries = retries;
        start_idle_worker(s);
        CHECK(s.submit(t) == actions{stage(t, 0, 1)});
    }

    /// The worker dies in the task, and the next one is started and is given it.
    void die_and_begin_again() {
        CHECK(s.exited(0, {slot_state::begun}) == actions{start(0)});
        CHECK(t.state == task_state::queued);
        CHECK(s.ready(0) == actions{stage(t, 0, 0)});
    }
};

} // namespace

TEST_CASE("a task is run again after the death of its worker", "[pool][retry]") {
    one_begun one(2);
    one.die_and_begin_again();
    one.die_and_begin_again();
    CHECK(one.t.deaths == 2);

    SECTION("and may succeed") {
        CHECK(one.s.replies(0, {0}) == actions{complete_by_reply(one.t)});
    }
    SECTION("until it has cost as many workers as it may") {
        CHECK(one.s.exited(0, {slot_state::begun}) ==
              actions{may_have_run(one.t, errc::worker_terminated)});
        CHECK(one.t.deaths == 2);
    }
}

TEST_CASE("a task that never began costs no retry", "[pool][retry]") {
    one_begun one(1);
    CHECK(one.s.exited(0, {slot_state::offered}) == actions{start(0)});
    CHECK(one.t.deaths == 0);
    CHECK(one.t.retries == 1);
}

TEST_CASE("a task whose result was lost is run again", "[pool][retry]") {
    one_begun one(1);
    CHECK(one.s.exited(0, {slot_state::finished}) == actions{start(0)});
    CHECK(one.t.state == task_state::queued);
}

TEST_CASE("a crash is enough: the task does not wait until the process is gone", "[pool][retry]") {
    one_begun one(1);
    CHECK(one.s.crashed(0, true) == actions{recall(0, 1)});
    CHECK(one.s.recalled(0, 1, slot_state::begun) == actions{start(1)});
    CHECK(one.s.ready(1) == actions{stage(one.t, 1, 0)});
    CHECK(one.s.exited(0, {slot_state::begun}).empty());
    CHECK(one.s.replies(1, {0}) == actions{complete_by_reply(one.t)});
}

TEST_CASE("whoever cancels does not want a task to be run again", "[pool][retry]") {
    one_begun one(1);
    CHECK(one.s.cancel(one.t, GENERATE(cancel_type::total, cancel_type::partial)) ==
          actions{recall(0, 1)});

    SECTION("the answer was there before the death") { one.s.recalled(0, 1, slot_state::begun); }
    SECTION("the death came first") {}
    CHECK(one.s.exited(0, {slot_state::begun}) ==
          actions{may_have_run(one.t, errc::worker_terminated)});
}

TEST_CASE("of a task that waits for its second run nobody says that it never started",
          "[pool][retry]") {
    one_begun one(1);
    CHECK(one.s.exited(0, {slot_state::begun}) == actions{start(0)});

    SECTION("when it is cancelled") {
        CHECK(one.s.cancel(one.t, cancel_type::total) ==
              actions{may_have_run(one.t, errc::cancelled)});
    }
    SECTION("when the executor is shut down") {
        CHECK(one.s.shut_down(shutdown_mode::cancel_queued) ==
              actions{may_have_run(one.t, errc::executor_shutdown), kill(0)});
    }
}

TEST_CASE("a shutdown that cancels what waits has nothing run again", "[pool][retry]") {
    one_begun one(1);
    CHECK(one.s.shut_down(shutdown_mode::cancel_queued) == actions{recall(0, 1)});
    CHECK(one.s.recalled(0, 1, slot_state::begun).empty());
    const actions end = one.s.exited(0, {slot_state::begun});
    REQUIRE(!end.empty());
    CHECK(end.front() == may_have_run(one.t, errc::worker_terminated));
}

TEST_CASE("a task that is run again keeps its place before younger ones", "[pool][retry]") {
    one_begun one(1);
    task younger;
    one.s.now += 1ms;
    CHECK(one.s.submit(younger).empty());
    CHECK(one.s.exited(0, {slot_state::begun}) == actions{start(0)});
    CHECK(one.s.ready(0) == actions{stage(one.t, 0, 0), stage(younger, 0, 1)});
}

TEST_CASE("the time-out of a task covers all its runs, its run time-out each", "[pool][retry]") {
    task t;
    t.retries = 5;
    script s(1);
    t.deadline = s.now + 100ms;
    t.run_timeout = 60ms;
    start_idle_worker(s);
    s.submit(t);
    CHECK(t.expiry == s.now + 60ms);
    s.now += 50ms;
    s.exited(0, {slot_state::begun});
    CHECK(t.expiry == t.deadline);
    s.ready(0);
    CHECK(t.expiry == t.deadline); // 50 ms are left, and its run may take 60
    CHECK(s.tick_after(50ms) == actions{recall(0, 0)});
    CHECK(s.recalled(0, 0, slot_state::begun).front() == may_have_run(t, errc::timed_out));
}
