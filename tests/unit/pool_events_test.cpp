#include "unit/pool_fixture.hpp"

using namespace coproc;
using namespace coproc::test;
using pool::event;
using pool::event_kind;
using pool::events;

namespace {

event queued(task& t, queue_reason why = queue_reason::submitted) {
    return {.kind = event_kind::queued, .queued = why, .subject = &t};
}
event of_worker(event_kind kind, std::uint32_t worker, std::uint64_t number) {
    return {.kind = kind, .worker = worker, .slot = worker, .number = number};
}
event staged(task& t, std::uint32_t worker, std::uint64_t number) {
    event e = of_worker(event_kind::staged, worker, number);
    e.subject = &t;
    return e;
}
event done(task& t, std::uint32_t worker, std::uint64_t number, errc code = by_reply,
           certainty how_certain = certainty::ran) {
    event e = of_worker(event_kind::done, worker, number);
    e.code = code;
    e.how_certain = how_certain;
    e.subject = &t;
    return e;
}
event done_in_queue(task& t, errc code) {
    return {.kind = event_kind::done, .code = code, .subject = &t};
}
event retired(std::uint32_t worker, std::uint64_t number, retire_reason why) {
    event e = of_worker(event_kind::worker_retired, worker, number);
    e.retired = why;
    return e;
}
event ended(std::uint32_t worker, std::uint64_t number, bool ready = true) {
    event e = of_worker(event_kind::worker_ended, worker, number);
    e.ready = ready;
    return e;
}

/// A script that is watched, with one idle worker, which has number 1 and entry 0.
struct watched : script {
    explicit watched(pool::limits l) : script(l) {
        machine.observe();
        task first;
        submit(first);
        started(0);
        ready(0);
        replies(0, {0});
        CHECK(news() == events{queued(first), of_worker(event_kind::worker_started, 0, 1),
                               of_worker(event_kind::worker_ready, 0, 1), staged(first, 0, 1),
                               done(first, 0, 1)});
    }
    explicit watched(std::size_t workers) : watched(limits_for(workers)) {}
};

} // namespace

TEST_CASE("nothing is recorded for nobody", "[pool][events]") {
    script s(2);
    start_idle_worker(s);
    s.started(0);
    s.machine.resize(1, s.now, s.out());
    CHECK(s.news().empty());
    CHECK(s.machine.news().capacity() == 0);
}

TEST_CASE("a task that nobody has run is done without a worker", "[pool][events]") {
    task running;
    task waits;
    task late;
    late.deadline = pool::time_point::min();
    watched s(1);
    s.submit(running);
    waits.run_timeout = 1h; // so it is given to idle workers only
    s.submit(waits);
    s.cancel(waits, cancel_type::terminal);
    s.submit(late);
    CHECK(s.news() == events{queued(running), staged(running, 0, 1), queued(waits),
                             done_in_queue(waits, errc::cancelled), queued(late),
                             done_in_queue(late, errc::timed_out)});
}

TEST_CASE("a task that is refused is not told of", "[pool][events]") {
    task t;
    watched s(1);
    s.shut_down(shutdown_mode::drain);
    CHECK(s.try_submit(t) == admission::shut_down);
    CHECK(s.news().empty());
}

TEST_CASE("a task that is taken back waits again", "[pool][events]") {
    task first;
    task second;
    watched s(1);
    s.submit(first);
    s.submit(second);
    CHECK(s.news() ==
          events{queued(first), staged(first, 0, 1), queued(second), staged(second, 0, 1)});
    s.exited(0, {slot_state::begun, slot_state::offered});
    CHECK(s.news() == events{of_worker(event_kind::worker_crashed, 0, 1),
                             queued(second, queue_reason::taken_back),
                             done(first, 0, 1, errc::worker_terminated, certainty::may_have_run),
                             ended(0, 1)});
}

TEST_CASE("a task is retried by another worker", "[pool][events]") {
    task t;
    t.retries = 1;
    watched s(1);
    s.submit(t);
    s.crashed(0, true);
    s.recalled(0, 1, slot_state::begun);
    CHECK(s.news() == events{queued(t), staged(t, 0, 1),
                             of_worker(event_kind::worker_crashed, 0, 1),
                             queued(t, queue_reason::retried)});
    s.ready(1);
    s.exited(1, {slot_state::finished});
    const events got = s.news();
    REQUIRE(got.size() == 4);
    CHECK(got[1].kind == event_kind::staged);
    CHECK(got[1].number == 2);
    event last = done(t, 1, 2, errc::worker_terminated, certainty::ran);
    last.slot = 0; // that of the one that died
    CHECK(got[3] == last);
}

TEST_CASE("a process that was never there does not end", "[pool][events]") {
    task t;
    script s(1);
    s.machine.observe();
    s.submit(t);
    s.cancel(t, cancel_type::total);
    s.shut_down(shutdown_mode::drain);
    s.exited(0);
    CHECK(s.news() == events{queued(t), done_in_queue(t, errc::cancelled)});
}

TEST_CASE("a worker that cannot be started, and one that is never ready", "[pool][events]") {
    task t;
    script s(1);
    s.machine.observe();
    s.submit(t);
    s.start_failed(0);
    s.started(0);
    s.exited(0);
    event failed = of_worker(event_kind::start_failed, 0, 1);
    failed.code = errc::spawn_failed;
    CHECK(s.news() == events{queued(t), failed, of_worker(event_kind::worker_started, 0, 2),
                             ended(0, 2, false)});
}

TEST_CASE("each reason to let a worker go is told", "[pool][events]") {
    SECTION("its number of tasks") {
        pool::limits l = limits_for(1);
        l.max_tasks = 2;
        task t;
        watched s(l);
        s.submit(t);
        CHECK(s.news() == events{queued(t), staged(t, 0, 1), retired(0, 1, retire_reason::tasks)});
    }
    SECTION("its age") {
        pool::limits l = limits_for(1);
        l.max_age = 1h;
        watched s(l);
        s.tick_after(1h);
        CHECK(s.news() == events{retired(0, 1, retire_reason::age)});
    }
    SECTION("idleness") {
        pool::limits l = limits_for(1);
        l.idle_timeout = 1s;
        watched s(l);
        s.tick_after(1s);
        s.exited(0);
        event left = ended(0, 1);
        left.retired = retire_reason::idle;
        CHECK(s.news() == events{retired(0, 1, retire_reason::idle), left});
    }
    SECTION("somebody asked for it, once") {
        watched s(1);
        s.machine.retire(0, retire_reason::memory, s.now, s.out());
        s.machine.retire(0, retire_reason::asked, s.now, s.out());
        CHECK(s.news() == events{retired(0, 1, retire_reason::memory)});
    }
    SECTION("of one that has no process yet nothing is told") {
        std::vector<task> t(3);
        watched s(2);
        for (task& each : t) {
            s.submit(each);
        }
        s.news();
        s.machine.resize(1, s.now, s.out());
        CHECK(s.news() == events{{.kind = event_kind::resized, .size_before = 2, .size = 1}});
        s.out().clear();
        s.exited(1);
        CHECK(s.news().empty());
    }
    SECTION("the executor is made smaller, also before a worker is ready") {
        std::vector<task> t(3);
        watched s(2);
        for (task& each : t) {
            s.submit(each);
        }
        s.started(1);
        s.news();
        s.machine.resize(1, s.now, s.out());
        CHECK(s.news() == events{{.kind = event_kind::resized, .size_before = 2, .size = 1},
                                 retired(1, 2, retire_reason::resized)});
        s.out().clear();
        s.machine.resize(1, s.now, s.out());
        CHECK(s.news() == events{{.kind = event_kind::resized, .size_before = 1, .size = 1}});
        s.out().clear();
        s.exited(1);
        event killed = ended(1, 2, false);
        killed.killed = true;
        CHECK(s.news() == events{killed});
    }
}

TEST_CASE("a shutdown counts what it takes from those who wait", "[pool][events]") {
    task running;
    task behind;
    task waits;
    running.grace = 50ms;
    watched s(1);
    s.submit(running);
    s.submit(behind);
    s.submit(waits);
    SECTION("drain: nothing") {
        s.shut_down(shutdown_mode::drain);
        s.replies(0, {1, 2});
        s.replies(0, {3});
        CHECK(s.machine.used_force() == pool::forced{});
    }
    SECTION("cancel_queued: what has not begun") {
        s.shut_down(shutdown_mode::cancel_queued);
        s.recalled(0, 2, slot_state::recalled);
        s.recalled(0, 1, slot_state::begun);
        s.replies(0, {1});
        CHECK(s.machine.used_force() == pool::forced{.cancelled = 2});
    }
    SECTION("kill: what runs, and its worker, if it does not stop") {
        s.shut_down(shutdown_mode::kill);
        s.recalled(0, 2, slot_state::recalled);
        s.recalled(0, 1, slot_state::begun);
        CHECK(s.machine.used_force() == pool::forced{.cancelled = 3, .lost = 1});
        s.tick_after(50ms);
        s.recalled(0, 1, slot_state::begun);
        CHECK(s.machine.used_force() ==
              pool::forced{.cancelled = 3, .lost = 1, .killed_workers = 1});
    }
    SECTION("a worker that does not leave") {
        s.replies(0, {1, 2});
        s.replies(0, {3});
        s.shut_down(shutdown_mode::drain);
        CHECK(s.tick_after(500ms) == actions{kill(0)});
        CHECK(s.machine.used_force() == pool::forced{.killed_workers = 1});
    }
}
