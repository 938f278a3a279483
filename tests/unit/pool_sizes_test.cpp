#include "unit/pool_fixture.hpp"

#include <array>

using namespace coproc;
using namespace coproc::test;

// How many workers there are, and which of them go.
namespace {

class sized : public script {
public:
    using script::script;

    actions resize(std::size_t max_workers) {
        actions out;
        machine.resize(max_workers, now, out);
        return out;
    }
    actions retire(std::uint32_t worker, retire_reason why) {
        actions out;
        machine.retire(worker, why, now, out);
        return out;
    }
    actions warm_up(task& request, std::size_t count) {
        actions out;
        CHECK(machine.warm_up(request, count, now, out) == admission::accepted);
        return out;
    }
    retire_reason worker_reason(std::uint32_t worker) const {
        return machine.worker_at(worker).retired;
    }
};

action warmed(task& request, errc code = by_reply) {
    return {.kind = action_kind::warmed, .code = code, .subject = &request};
}

pool::limits with_idle_timeout(std::size_t min_workers) {
    pool::limits l = limits_for(2);
    l.min_workers = min_workers;
    l.idle_timeout = 100ms;
    return l;
}

/// Workers 0 and 1 have a task each; `behind` lies in the pipe of worker 0 and `last` in that of
/// worker 1.
struct two_busy {
    std::array<task, 2> run;
    task behind, last;
    sized s;

    explicit two_busy(pool::limits l) : s(l) {
        s.submit(run[0]);
        s.submit(run[1]);
        s.ready(0);
        CHECK(s.ready(1) == actions{recall(0, 1)});
        CHECK(s.recalled(0, 1, slot_state::recalled) == actions{stage(run[1], 1, 0)});
    }
    void put_behind() {
        CHECK(s.submit(behind) == actions{stage(behind, 0, 2)});
        CHECK(s.submit(last) == actions{stage(last, 1, 1)});
    }
};

/// Two idle workers; the last to have a task was worker 0.
struct two_idle : two_busy {
    explicit two_idle(pool::limits l) : two_busy(l) {
        s.replies(1, {0});
        s.replies(0, {0});
        CHECK(s.machine.look().idle == 2);
    }
};

} // namespace

TEST_CASE("an idle worker is enough for one task, and two tasks start another", "[pool][sizes]") {
    std::array<task, 2> t;
    sized s(4);
    start_idle_worker(s);
    CHECK(s.submit(t[0]) == actions{stage(t[0], 0, 1)});
    CHECK(s.submit(t[1]) == actions{stage(t[1], 0, 2), start(1)});
    s.shut_down(shutdown_mode::stop);
}

TEST_CASE("min_workers are started by the first submit, and kept", "[pool][sizes]") {
    task t;
    pool::limits l = limits_for(3);
    l.min_workers = 2;
    sized s(l);
    CHECK(s.submit(t) == actions{start(0), start(1)});
    s.ready(0);
    CHECK(s.replies(0, {0}) == actions{complete_by_reply(t)});
    CHECK(s.exited(0) == actions{start(0)});
}

TEST_CASE("a task goes to the idle worker that had one last", "[pool][sizes]") {
    std::array<task, 2> t;
    two_idle w(limits_for(2));
    CHECK(w.s.submit(t[0]) == actions{stage(t[0], 0, 2)});
    CHECK(w.s.submit(t[1]) == actions{stage(t[1], 1, 1)});
    CHECK(w.s.replies(0, {2}) == actions{complete_by_reply(t[0])});
    CHECK(w.s.replies(1, {1}) == actions{complete_by_reply(t[1])});
    task next;
    CHECK(w.s.submit(next) == actions{stage(next, 1, 2)});
    w.s.shut_down(shutdown_mode::stop);
}

TEST_CASE("who idles too long is asked to exit, but for min_workers", "[pool][sizes]") {
    task t;
    for (const std::size_t min_workers : {0, 1}) {
        two_idle w(with_idle_timeout(min_workers));
        CHECK(w.s.until_tick() == 100ms);
        w.s.now += 60ms;
        task used;
        w.s.submit(used);
        w.s.replies(0, {2});
        CHECK(w.s.tick_after(39ms).empty());
        CHECK(w.s.tick_after(1ms) == actions{request_exit(1)});
        CHECK(w.s.exited(1).empty());
        CHECK(w.s.machine.look().crashed_workers == 0);
        if (min_workers == 0) {
            CHECK(w.s.until_tick() == 60ms);
            CHECK(w.s.tick_after(60ms) == actions{request_exit(0)});
        } else {
            CHECK(w.s.machine.next_tick() == never);
            CHECK(w.s.tick_after(1h).empty());
        }
    }
}

TEST_CASE("a task that meets a worker on its way out gets another", "[pool][sizes]") {
    std::array<task, 2> t;
    two_idle w(with_idle_timeout(1));
    CHECK(w.s.tick_after(100ms) == actions{request_exit(1)});
    CHECK(w.s.submit(t[0]) == actions{stage(t[0], 0, 2)});
    CHECK(w.s.submit(t[1]) == actions{stage(t[1], 0, 3), start(2)});
    CHECK(w.s.exited(1).empty());
    w.s.shut_down(shutdown_mode::stop);
}

TEST_CASE("growing starts workers while tasks run", "[pool][sizes]") {
    std::array<task, 3> t;
    sized s(1);
    s.submit(t[0]);
    CHECK(s.ready(0) == actions{stage(t[0], 0, 0)});
    CHECK(s.submit(t[1]) == actions{stage(t[1], 0, 1)});
    CHECK(s.submit(t[2]).empty());
    CHECK(s.resize(2) == actions{start(1)});
    CHECK(s.ready(1) == actions{recall(0, 1)});
    CHECK(s.recalled(0, 1, slot_state::recalled) == actions{stage(t[1], 1, 0), stage(t[2], 0, 2)});
    s.shut_down(shutdown_mode::stop);
}

TEST_CASE("shrinking lets a running task end and moves what waits", "[pool][sizes]") {
    two_busy w(limits_for(2));
    w.put_behind();
    CHECK(w.s.resize(1) == actions{recall(1, 1), recall(1, 0)});
    CHECK(w.s.recalled(1, 1, slot_state::recalled).empty());
    CHECK(w.s.recalled(1, 0, slot_state::begun).empty());
    CHECK(w.s.machine.look().leaving == 1);
    SECTION("it leaves") {
        CHECK(w.s.replies(1, {0}) == actions{complete_by_reply(w.run[1]), request_exit(1)});
        CHECK(w.s.exited(1).empty());
        CHECK(w.s.replies(0, {0}) == actions{complete_by_reply(w.run[0]), stage(w.last, 0, 3)});
        CHECK(w.s.machine.look().crashed_workers == 0);
    }
    SECTION("it is wanted again") {
        CHECK(w.s.resize(2) == actions{stage(w.last, 1, 2)});
        CHECK(w.s.machine.look().leaving == 0);
        CHECK(w.s.replies(1, {0, 2}) ==
              actions{complete_by_reply(w.run[1]), complete_by_reply(w.last), recall(0, 2)});
    }
    SECTION("it crashes on its way out") {
        CHECK(w.s.exited(1, {slot_state::begun}) ==
              actions{may_have_run(w.run[1], errc::worker_terminated)});
        CHECK(w.s.machine.look().crashed_workers == 1);
    }
    w.s.shut_down(shutdown_mode::stop);
}

TEST_CASE("a starting worker that is not wanted any more is no failed start", "[pool][sizes]") {
    std::array<task, 2> t;
    pool::limits l = limits_for(2);
    l.max_failed_starts = 1;
    sized s(l);
    s.submit(t[0]);
    s.submit(t[1]);
    CHECK(s.resize(1) == actions{kill(1)});
    CHECK(s.exited(1).empty());
    CHECK_FALSE(s.machine.broken());
    CHECK(s.machine.look().queued == 2);
    s.shut_down(shutdown_mode::stop);
}

TEST_CASE("a retired worker works until its successor is ready", "[pool][sizes]") {
    std::array<task, 3> t;
    sized s(1);
    start_idle_worker(s);
    s.submit(t[0]);
    s.submit(t[1]);
    CHECK(s.retire(0, retire_reason::memory) == actions{start(1)});
    CHECK(s.machine.worker_at(1).slot == 0);
    CHECK(s.retire(0, retire_reason::age).empty());
    CHECK(s.submit(t[2]).empty());
    CHECK(s.replies(0, {1}) == actions{complete_by_reply(t[0]), stage(t[2], 0, 3)});
    CHECK(s.ready(1) == actions{recall(0, 3), recall(0, 2)});
    CHECK(s.recalled(0, 3, slot_state::recalled).empty());
    CHECK(s.recalled(0, 2, slot_state::begun).empty()); // one task at a time
    CHECK(s.replies(0, {2}) ==
          actions{complete_by_reply(t[1]), request_exit(0), stage(t[2], 1, 0)});
    CHECK(s.worker_reason(0) == retire_reason::memory);
    CHECK(s.exited(0).empty());
    CHECK(s.replies(1, {0}) == actions{complete_by_reply(t[2])});
    CHECK(s.machine.look().crashed_workers == 0);
}

TEST_CASE("a retired worker without a task goes, unless it is one of min_workers",
          "[pool][sizes]") {
    SECTION("it goes") {
        task t;
        sized s(1);
        start_idle_worker(s);
        CHECK(s.retire(0, retire_reason::asked) == actions{request_exit(0)});
        CHECK(s.submit(t) == actions{start(1)});
        s.shut_down(shutdown_mode::stop);
    }
    SECTION("it stays until its successor is ready") {
        pool::limits l = limits_for(1);
        l.min_workers = 1;
        sized s(l);
        start_idle_worker(s);
        CHECK(s.retire(0, retire_reason::memory) == actions{start(1)});
        CHECK(s.machine.needs_attention());
        CHECK(s.ready(1) == actions{request_exit(0)});
    }
}

TEST_CASE("a worker whose task asks for it begins no other, and is not pardoned", "[pool][sizes]") {
    two_busy w(limits_for(2));
    w.put_behind();
    SECTION("its tasks go to its successor, or to others") {
        CHECK(w.s.retire(1, retire_reason::asked) == actions{recall(1, 1), recall(1, 0), start(2)});
        CHECK(w.s.recalled(1, 1, slot_state::recalled).empty());
        CHECK(w.s.recalled(1, 0, slot_state::begun).empty());
        CHECK(w.s.ready(2).empty()); // one of a slot has tasks
        CHECK(w.s.replies(1, {0}) ==
              actions{complete_by_reply(w.run[1]), request_exit(1), recall(0, 2)}); // the older
        CHECK(w.s.recalled(0, 2, slot_state::recalled) ==
              actions{stage(w.behind, 2, 0), stage(w.last, 0, 3)});
    }
    SECTION("it was retired for something else") {
        w.s.retire(1, retire_reason::memory);
        CHECK(w.s.retire(1, retire_reason::asked) == actions{recall(1, 1), recall(1, 0)});
        CHECK(w.s.machine.worker_at(1).leaving);
    }
    SECTION("it was to leave for something else") {
        w.s.resize(1);
        CHECK(w.s.retire(1, retire_reason::asked).empty()); // asked back already
        w.s.recalled(1, 1, slot_state::recalled);
        w.s.recalled(1, 0, slot_state::begun);
        CHECK(w.s.resize(2) == actions{start(2)});
        CHECK(w.s.machine.worker_at(1).leaving);
    }
    CHECK(w.s.worker_reason(1) == retire_reason::asked);
    w.s.shut_down(shutdown_mode::stop);
}

TEST_CASE("a worker that has had all its tasks, and the last of which are taken from it",
          "[pool][sizes]") {
    std::array<task, 2> t;
    pool::limits l = limits_for(1);
    l.max_tasks = 2;
    sized s(l);
    s.submit(t[0]);
    s.submit(t[1]);
    s.ready(0);
    CHECK(s.retire(0, retire_reason::asked) == actions{recall(0, 1), recall(0, 0)});
    CHECK(s.recalled(0, 1, slot_state::recalled).empty());
    CHECK(s.machine.worker_at(0).leaving);
    s.shut_down(shutdown_mode::stop);
}

TEST_CASE("a worker has no more than max_tasks tasks", "[pool][sizes]") {
    std::array<task, 3> t;
    pool::limits l = limits_for(1);
    l.max_tasks = 2;
    sized s(l);
    for (task& each : t) {
        s.submit(each);
    }
    CHECK(s.ready(0) == actions{stage(t[0], 0, 0), stage(t[1], 0, 1), start(1)});
    CHECK(s.ready(1).empty());
    CHECK(s.replies(0, {0}) == actions{complete_by_reply(t[0])});
    CHECK(s.replies(0, {1}) ==
          actions{complete_by_reply(t[1]), request_exit(0), stage(t[2], 1, 0)});
    CHECK(s.worker_reason(0) == retire_reason::tasks);
    CHECK(s.replies(1, {0}) == actions{complete_by_reply(t[2])});
}

TEST_CASE("a task that is taken back does not count", "[pool][sizes]") {
    task t, next;
    pool::limits l = limits_for(1);
    l.max_tasks = 2;
    sized s(l);
    start_idle_worker(s);
    CHECK(s.submit(t) == actions{stage(t, 0, 1), start(1)});
    CHECK(s.start_failed(1) == actions{start(1)});
    CHECK(s.cancel(t, cancel_type::total) == actions{recall(0, 1)});
    // Its successor is on its way already.
    CHECK(s.recalled(0, 1, slot_state::recalled) ==
          actions{not_started(t, errc::cancelled), request_exit(0)});
    CHECK(s.submit(next).empty());
    CHECK(s.ready(1) == actions{stage(next, 1, 0)});
    CHECK(s.replies(1, {0}) == actions{complete_by_reply(next)});
}

TEST_CASE("an old worker is replaced", "[pool][sizes]") {
    task t;
    pool::limits l = limits_for(1);
    l.max_age = 10s;
    sized s(l);
    start_idle_worker(s);
    CHECK(s.until_tick() == 10s);
    s.submit(t);
    CHECK(s.tick_after(10s) == actions{start(1)});
    CHECK(s.ready(1) == actions{recall(0, 1)});
    CHECK(s.recalled(0, 1, slot_state::begun).empty());
    CHECK(s.replies(0, {1}) == actions{complete_by_reply(t), request_exit(0)});
    CHECK(s.worker_reason(0) == retire_reason::age);
}

TEST_CASE("a warm-up is answered when as many are ready as there may be", "[pool][sizes]") {
    task two, many, none;
    sized s(3);
    CHECK(s.warm_up(none, 0) == actions{warmed(none)});
    CHECK(s.warm_up(two, 2) == actions{start(0), start(1)});
    CHECK(s.machine.needs_attention());
    CHECK(s.ready(0).empty());
    CHECK(s.ready(1) == actions{warmed(two)});
    CHECK_FALSE(s.machine.needs_attention());
    CHECK(s.warm_up(many, 9) == actions{start(2)});
    CHECK(s.ready(2) == actions{warmed(many)});
    CHECK(s.machine.look().completed == 0);
}

TEST_CASE("a warm-up fails with the starts, and ends by cancellation or shutdown",
          "[pool][sizes]") {
    task request;
    sized s(1);
    CHECK(s.warm_up(request, 1) == actions{start(0)});
    SECTION("the starts fail") {
        CHECK(s.start_failed(0) == actions{start(0)});
        CHECK(s.start_failed(0).empty());
        CHECK(s.until_tick() == 10ms);
        CHECK(s.tick_after(10ms) == actions{start(0)});
        CHECK(s.start_failed(0) == actions{warmed(request, errc::spawn_failed)});
        task late;
        actions out;
        CHECK(s.machine.warm_up(late, 1, s.now, out) == admission::broken);
    }
    SECTION("cancelled") {
        CHECK(s.cancel(request, cancel_type::terminal) ==
              actions{warmed(request, errc::cancelled)});
        CHECK(s.ready(0).empty());
    }
    SECTION("shut down") {
        CHECK(s.shut_down(shutdown_mode::drain) ==
              actions{warmed(request, errc::executor_shutdown), kill(0)});
    }
}

TEST_CASE("min_workers are no reason to start for ever", "[pool][sizes]") {
    task t, next;
    pool::limits l = limits_for(1);
    l.min_workers = 1;
    sized s(l);
    s.submit(t);
    s.ready(0);
    s.replies(0, {0});
    SECTION("starts fail") {
        CHECK(s.exited(0) == actions{start(0)});
        CHECK(s.start_failed(0) == actions{start(0)});
        CHECK(s.start_failed(0).empty());
        CHECK(s.tick_after(10ms) == actions{start(0)});
        CHECK(s.start_failed(0).empty());
        CHECK(s.machine.next_tick() == never);
        CHECK(s.submit(next) == actions{start(0)});
        s.shut_down(shutdown_mode::stop);
    }
    SECTION("workers die before they have a task") {
        CHECK(s.exited(0) == actions{start(0)});
        s.ready(0);
        CHECK(s.exited(0) == actions{start(0)});
        s.ready(0);
        CHECK(s.exited(0).empty());
        CHECK(s.until_tick() == 10ms);
    }
}
