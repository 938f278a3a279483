#include "unit/pool_fixture.hpp"

#include <array>

using namespace coproc;
using namespace coproc::test;

// Workers that take too much memory, and those that are to give it back.
namespace {

class growing : public script {
public:
    using script::script;

    actions exceeded(std::uint32_t worker) {
        actions out;
        machine.exceeded(worker, now, out);
        return out;
    }
    void cleaning(std::uint32_t worker) { machine.cleaning(worker, now); }
    actions retire(std::uint32_t worker) {
        actions out;
        machine.retire(worker, retire_reason::memory, now, out);
        return out;
    }
};

/// Worker 0 runs `run`, and `behind` lies in its pipe.
struct busy {
    task run, behind;
    growing s{1};

    busy() {
        s.submit(run);
        s.ready(0);
        CHECK(s.submit(behind) == actions{stage(behind, 0, 1)});
    }
    ~busy() { s.shut_down(shutdown_mode::stop); }
};

} // namespace

TEST_CASE("a worker that exceeds its limit costs the task that it runs, and no other",
          "[pool][memory]") {
    busy b;
    CHECK(b.s.exceeded(0) == actions{recall(0, 1), recall(0, 0), kill(0), start(1)});
    CHECK(b.s.state(0) == worker_state::stopping);
    CHECK(b.s.recalled(0, 1, slot_state::recalled).empty());
    CHECK(b.s.recalled(0, 0, slot_state::begun) ==
          actions{may_have_run(b.run, errc::out_of_memory)});
    CHECK(b.s.exited(0, {slot_state::begun}).empty());
    CHECK(b.s.ready(1) == actions{stage(b.behind, 1, 0)});
    CHECK(b.s.machine.look().crashed_workers == 0);
}

TEST_CASE("a task that has returned before its worker exceeded the limit may have its result",
          "[pool][memory]") {
    busy b;
    b.s.exceeded(0);
    b.s.recalled(0, 1, slot_state::recalled);
    CHECK(b.s.recalled(0, 0, slot_state::finished).empty());
    CHECK(b.s.replies(0, {0}) == actions{complete_by_reply(b.run)});
}

TEST_CASE("a task that exceeds the limit is run again as often as it may", "[pool][memory]") {
    busy b;
    b.run.retries = 1;
    b.s.exceeded(0);
    b.s.recalled(0, 1, slot_state::recalled);
    CHECK(b.s.recalled(0, 0, slot_state::begun).empty());
    b.s.exited(0, {slot_state::begun});
    CHECK(b.s.ready(1) == actions{stage(b.run, 1, 0), stage(b.behind, 1, 1)});
    b.s.exceeded(1);
    b.s.recalled(1, 1, slot_state::recalled);
    CHECK(b.s.recalled(1, 0, slot_state::begun) ==
          actions{may_have_run(b.run, errc::out_of_memory)});
}

TEST_CASE("a worker that exceeds its limit before it is ready is a failed start",
          "[pool][memory]") {
    task t;
    growing s{1};
    s.submit(t);
    CHECK(s.exceeded(0) == actions{kill(0)});
    CHECK(s.exceeded(0).empty());
    CHECK(s.exited(0) == actions{start(0)});
    s.shut_down(shutdown_mode::stop);
}

TEST_CASE("one that is idle, leaving or gone can exceed its limit, too", "[pool][memory]") {
    growing s{1};
    start_idle_worker(s);
    CHECK(s.exceeded(0) == actions{kill(0)});
    CHECK(s.exceeded(0).empty());
    CHECK(s.exited(0).empty());
    CHECK(s.exceeded(0).empty());
}

TEST_CASE("a worker that leaks works until its successor is ready, and loses no task",
          "[pool][memory]") {
    busy b;
    CHECK(b.s.retire(0) == actions{start(1)});
    CHECK(b.s.replies(0, {0}) == actions{complete_by_reply(b.run)});
    task more;
    CHECK(b.s.submit(more) == actions{stage(more, 0, 2)}); // as before
    CHECK(b.s.ready(1) == actions{recall(0, 2), recall(0, 1)});
    CHECK(b.s.recalled(0, 2, slot_state::recalled).empty());
    CHECK(b.s.recalled(0, 1, slot_state::begun).empty()); // of one slot only one has tasks
    CHECK(b.s.replies(0, {1}) ==
          actions{complete_by_reply(b.behind), request_exit(0), stage(more, 1, 0)});
    CHECK(b.s.replies(1, {0}) == actions{complete_by_reply(more)});
}

TEST_CASE("the time for cleaning up is counted from the end of the tasks before it",
          "[pool][memory]") {
    busy b;
    b.s.cleaning(0);
    CHECK(b.s.tick_after(1h).empty());
    b.s.replies(0, {0});
    CHECK(b.s.tick_after(1h).empty());
    b.s.replies(0, {1});
    CHECK(b.s.until_tick() == 500ms);
    CHECK(b.s.tick_after(499ms).empty());
    b.s.machine.cleaned(0);
    CHECK(b.s.machine.next_tick() == never);
    CHECK(b.s.tick_after(1h).empty());
    CHECK(b.s.state(0) == worker_state::idle);
}

TEST_CASE("a worker that does not end cleaning up is killed, and no task is lost",
          "[pool][memory]") {
    busy b;
    b.s.replies(0, {0, 1});
    b.s.cleaning(0);
    task next, other;
    CHECK(b.s.submit(next) == actions{stage(next, 0, 2)});
    CHECK(b.s.submit(other) == actions{stage(other, 0, 3)});
    CHECK(b.s.tick_after(500ms) == actions{recall(0, 3), recall(0, 2)});
    CHECK(b.s.recalled(0, 3, slot_state::recalled).empty());
    CHECK(b.s.recalled(0, 2, slot_state::recalled) == actions{kill(0), start(1)});
    CHECK(b.s.exited(0).empty());
    CHECK(b.s.ready(1) == actions{stage(next, 1, 0), stage(other, 1, 1)});
    CHECK(b.s.machine.look().crashed_workers == 0);
    b.s.shut_down(shutdown_mode::stop);
}

TEST_CASE("a worker that has begun a task has cleaned up, though its report is late",
          "[pool][memory]") {
    for (const bool answered : {false, true}) {
        busy b;
        b.s.replies(0, {0, 1});
        b.s.cleaning(0);
        task next;
        b.s.submit(next);
        if (answered) {
            CHECK(b.s.replies(0, {2}) == actions{complete_by_reply(next)});
        } else {
            CHECK(b.s.tick_after(500ms) == actions{recall(0, 2)});
            CHECK(b.s.recalled(0, 2, slot_state::begun).empty());
        }
        CHECK(b.s.machine.next_tick() == never);
        CHECK(b.s.tick_after(1h).empty());
        b.s.machine.cleaned(0);
        b.s.shut_down(shutdown_mode::stop);
    }
}

TEST_CASE("while nobody listens, the time for cleaning up stands still", "[pool][memory]") {
    busy b;
    b.s.replies(0, {0, 1});
    b.s.cleaning(0);
    CHECK_FALSE(b.s.machine.needs_attention());
    b.s.now += 1h;
    task next;
    CHECK(b.s.submit(next) == actions{stage(next, 0, 2)});
    CHECK(b.s.until_tick() == 500ms);
    b.s.machine.cleaned(0);
    b.s.shut_down(shutdown_mode::stop);
}

TEST_CASE("an idle worker that does not end cleaning up is killed", "[pool][memory]") {
    growing s{1};
    start_idle_worker(s);
    s.cleaning(0);
    CHECK(s.tick_after(500ms) == actions{kill(0)});
    CHECK(s.exited(0).empty());
}
