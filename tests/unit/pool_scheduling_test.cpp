#include "unit/pool_fixture.hpp"

#include <array>

using namespace coproc;
using namespace coproc::test;

TEST_CASE("a pool starts nothing before the first task", "[pool]") {
    script s(4);
    CHECK(s.machine.look() == pool::counts());
    CHECK_FALSE(s.machine.needs_attention());
    CHECK(s.machine.next_tick() == never);
}

TEST_CASE("a task without worker starts one and is staged when it is ready", "[pool]") {
    task t;
    script s(4);
    CHECK(s.submit(t) == actions{start(0)});
    CHECK(t.state == task_state::queued);
    CHECK(s.ready(0) == actions{stage(t, 0, 0)});
    CHECK(t.state == task_state::staged);
    CHECK(s.machine.owner(0, 0) == &t);
    CHECK(s.replies(0, {0}) == actions{complete_by_reply(t)});
    CHECK(t.state == task_state::done);
    CHECK(s.machine.owner(0, 0) == nullptr);
    CHECK(s.state(0) == worker_state::idle);
}

TEST_CASE("an idle worker gets the next task, and no other is started", "[pool]") {
    task t;
    script s(4);
    start_idle_worker(s);
    CHECK(s.submit(t) == actions{stage(t, 0, 1)});
}

TEST_CASE("as many workers start as tasks wait, up to max_workers", "[pool]") {
    std::array<task, 3> t;
    script s(2);
    CHECK(s.submit(t[0]) == actions{start(0)});
    CHECK(s.submit(t[1]) == actions{start(1)});
    CHECK(s.submit(t[2]).empty());
    CHECK(s.machine.worker_at(0).slot == 0);
    CHECK(s.machine.worker_at(1).slot == 1);
}

TEST_CASE("a busy worker has the next task in its pipe, while a second worker starts", "[pool]") {
    std::array<task, 2> t;
    script s(2);
    start_idle_worker(s);
    CHECK(s.submit(t[0]) == actions{stage(t[0], 0, 1)});
    CHECK(s.submit(t[1]) == actions{stage(t[1], 0, 2), start(1)});
}

TEST_CASE("a pipe takes as many tasks as its window", "[pool]") {
    std::array<task, 3> t;
    script s(1);
    start_idle_worker(s);
    CHECK(s.submit(t[0]) == actions{stage(t[0], 0, 1)});
    CHECK(s.submit(t[1]) == actions{stage(t[1], 0, 2)});
    CHECK(s.submit(t[2]).empty());
    CHECK(s.replies(0, {1}) == actions{complete_by_reply(t[0]), stage(t[2], 0, 3)});
}

TEST_CASE("a full pipe takes no further task, an empty one takes any", "[pool]") {
    pool::limits l = limits_for(1);
    l.max_pipe_bytes = 1000;
    std::array<task, 2> t;
    t[0].frame_bytes = 5000;
    script s(l);
    start_idle_worker(s);
    CHECK(s.submit(t[0]) == actions{stage(t[0], 0, 1)});
    CHECK(s.submit(t[1]).empty());
    CHECK(s.replies(0, {1}) == actions{complete_by_reply(t[0]), stage(t[1], 0, 2)});
}

TEST_CASE("a window is twice what a worker ends in a period", "[pool]") {
    std::vector<task> t(40);
    script s(1);
    start_idle_worker(s);
    for (task& each : t) {
        s.submit(each);
    }
    CHECK(s.machine.worker_at(0).window == 2);
    s.replies(0, {1, 2});
    CHECK(s.machine.worker_at(0).window == 4);
    s.replies(0, {3, 4, 5, 6});
    CHECK(s.machine.worker_at(0).window == 8);
    CHECK(s.machine.worker_at(0).tasks.unsettled() == 8);

    SECTION("it shrinks by an eighth of what is too much, once in a period") {
        s.now += 10ms; // one in fifty periods
        s.replies(0, {7});
        CHECK(s.machine.worker_at(0).window == 7);
        s.replies(0, {8});
        CHECK(s.machine.worker_at(0).window == 7);
        s.now += 200us;
        s.replies(0, {9});
        CHECK(s.machine.worker_at(0).window == 6);
    }
    SECTION("a look that finds nothing says nothing") {
        s.replies(0, {});
        CHECK(s.machine.worker_at(0).window == 8);
    }
    SECTION("it never exceeds the slots of the shared page") {
        std::vector<std::uint64_t> all;
        for (std::uint64_t sequence = 7; sequence <= 40; ++sequence) {
            if (s.machine.owner(0, sequence) == nullptr) {
                s.replies(0, std::exchange(all, {}));
            }
            all.push_back(sequence);
        }
        s.replies(0, all);
        CHECK(s.machine.worker_at(0).window <= 64);
        CHECK(s.machine.unfinished() == 0);
    }
}

TEST_CASE("a task with a run time-out goes only to an idle worker", "[pool]") {
    std::array<task, 3> t;
    t[1].run_timeout = 10ms;
    script s(1);
    start_idle_worker(s);
    CHECK(s.submit(t[0]) == actions{stage(t[0], 0, 1)});
    CHECK(s.submit(t[1]).empty());
    CHECK(s.submit(t[2]).empty());
    CHECK(s.replies(0, {1}) ==
          actions{complete_by_reply(t[0]), stage(t[1], 0, 2), stage(t[2], 0, 3)});
    CHECK(t[1].expiry == s.now + 10ms);
    CHECK(t[2].expiry == never);
}

TEST_CASE("a worker that falls idle takes what waits behind others, oldest first", "[pool]") {
    std::vector<task> t(8);
    script s(2);
    start_idle_worker(s);
    // One worker with a window of 8 and 5 tasks, then a second one.
    for (std::size_t i = 0; i < 2; ++i) {
        s.submit(t[i]);
    }
    s.replies(0, {1, 2});
    CHECK(s.machine.worker_at(0).window == 4);
    s.submit(t[2]);
    s.submit(t[3]);
    s.submit(t[4]);
    s.submit(t[5]);
    CHECK(s.machine.worker_at(0).tasks.unsettled() == 4); // 3 to 6
    // Half of what lies behind the oldest, the newest first.
    CHECK(s.ready(1) == actions{recall(0, 6), recall(0, 5)});
    CHECK(s.recalled(0, 6, slot_state::recalled).empty());
    CHECK(t[5].state == task_state::queued);
    CHECK(s.recalled(0, 5, slot_state::recalled) == actions{stage(t[4], 1, 0), stage(t[5], 1, 1)});
    CHECK(s.machine.look().staged == 4);
}

TEST_CASE("what has begun is not asked back a second time", "[pool]") {
    std::array<task, 2> t;
    script s(2);
    start_idle_worker(s);
    s.submit(t[0]);
    CHECK(s.submit(t[1]) == actions{stage(t[1], 0, 2), start(1)});
    CHECK(s.ready(1) == actions{recall(0, 2)});
    CHECK(s.recalled(0, 2, slot_state::begun).empty());
    CHECK(t[1].state == task_state::staged);
    CHECK(s.replies(0, {1}) == actions{complete_by_reply(t[0])});
    CHECK(s.replies(0, {2}) == actions{complete_by_reply(t[1])});
}

TEST_CASE("beyond max_queued a task is refused and untouched", "[pool]") {
    pool::limits l = limits_for(1);
    l.max_queued = 1;
    std::array<task, 2> t;
    script s(l);
    CHECK(s.submit(t[0]) == actions{start(0)});
    CHECK(s.try_submit(t[1]) == admission::queue_full);
    CHECK(t[1].state == task_state::created);
    CHECK(s.machine.look().submitted == 1);
    CHECK(s.ready(0) == actions{stage(t[0], 0, 0)});
    CHECK(s.submit(t[1]) == actions{stage(t[1], 0, 1)});
}

TEST_CASE("a replacement has the slot of the worker that it replaces", "[pool]") {
    std::array<task, 3> t;
    script s(2);
    s.submit(t[0]);
    s.submit(t[1]);
    CHECK(s.ready(0) == actions{stage(t[0], 0, 0), stage(t[1], 0, 1)});
    CHECK(s.ready(1) == actions{recall(0, 1)});
    CHECK(s.recalled(0, 1, slot_state::recalled) == actions{stage(t[1], 1, 0)});
    CHECK(s.crashed(0, true) == actions{recall(0, 0)});
    // The worker that crashed still has its process and its entry, but its slot is free.
    CHECK(s.recalled(0, 0, slot_state::begun) ==
          actions{may_have_run(t[0], errc::worker_terminated)});
    s.submit(t[2]);
    CHECK(s.state(2) == worker_state::starting);
    CHECK(s.machine.worker_at(2).slot == 0);
    CHECK(s.machine.worker_at(1).slot == 1);
}

TEST_CASE("sequence numbers go on while a pipe's ring grows and turns", "[pool]") {
    std::vector<task> t(200);
    script s(1);
    start_idle_worker(s);
    for (task& each : t) {
        s.submit(each);
    }
    std::uint64_t next = 1;
    while (s.machine.unfinished() > 0) {
        std::vector<std::uint64_t> all;
        while (s.machine.owner(0, next) != nullptr) {
            CHECK(s.machine.owner(0, next) == &t[next - 1]);
            all.push_back(next++);
        }
        s.replies(0, all);
    }
    CHECK(next == 201);
    CHECK(s.machine.look().completed == 201);
}

TEST_CASE("a reply to nothing is refused", "[pool]") {
    task t;
    script s(1);
    start_idle_worker(s);
    s.submit(t);
    actions out;
    CHECK_FALSE(s.machine.replied(0, 0, out)); // answered before
    CHECK_FALSE(s.machine.replied(0, 2, out)); // never sent
    CHECK(out.empty());
    CHECK(s.machine.replied(0, 1, out));
    CHECK_FALSE(s.machine.replied(0, 1, out));
}
