#include "unit/pool_fixture.hpp"

#include <array>

// Who goes first: the greater priority, within one the older, and after long enough anybody; and
// nobody waits behind a long task while another worker could run it.
using namespace coproc;
using namespace coproc::test;

TEST_CASE("of the waiting tasks the greatest priority goes first, then the oldest", "[pool]") {
    std::array<task, 5> t;
    t[1].priority = 1;
    t[2].priority = 1;
    t[3].priority = -1;
    t[4].priority = 5;
    pool::limits l = limits_for(1);
    l.max_pipe_bytes = 1;
    script s(l);
    for (task& each : t) {
        each.frame_bytes = 1; // one to a pipe
        s.submit(each);
    }
    CHECK(s.ready(0) == actions{stage(t[4], 0, 0)});
    CHECK(s.replies(0, {0}) == actions{complete_by_reply(t[4]), stage(t[1], 0, 1)});
    CHECK(s.replies(0, {1}) == actions{complete_by_reply(t[1]), stage(t[2], 0, 2)});
    CHECK(s.replies(0, {2}) == actions{complete_by_reply(t[2]), stage(t[0], 0, 3)});
    CHECK(s.replies(0, {3}) == actions{complete_by_reply(t[0]), stage(t[3], 0, 4)});
}

TEST_CASE("a second of waiting is worth one unit of priority", "[pool]") {
    std::array<task, 3> t;
    t[1].priority = 2;
    t[2].priority = 2;
    script s(1);
    s.submit(t[0]);
    s.now += 2s - 1ns;
    s.submit(t[1]); // ahead of the first, by a nanosecond
    s.now += 1ns;
    s.submit(t[2]); // of the same rank as the first, which is older
    CHECK(s.ready(0) == actions{stage(t[1], 0, 0), stage(t[0], 0, 1)});
}

TEST_CASE("the least and the greatest priority have their places", "[pool]") {
    std::array<task, 3> t;
    t[0].priority = std::numeric_limits<int>::min();
    t[2].priority = std::numeric_limits<int>::max();
    script s(1);
    for (task& each : t) {
        s.submit(each);
    }
    CHECK(s.ready(0) == actions{stage(t[2], 0, 0), stage(t[1], 0, 1)});
}

TEST_CASE("a greater priority goes before what already lies in a pipe", "[pool]") {
    std::array<task, 3> t;
    t[2].priority = 1;
    script s(1);
    start_idle_worker(s);
    s.submit(t[0]);
    CHECK(s.submit(t[1]) == actions{stage(t[1], 0, 2)});

    SECTION("if that has not begun") {
        CHECK(s.submit(t[2]) == actions{recall(0, 2)});
        CHECK(s.recalled(0, 2, slot_state::recalled).empty()); // the pipe is kept free for a while
        CHECK(s.replies(0, {1}) == actions{complete_by_reply(t[0]), stage(t[2], 0, 3)});
        s.now += limits_for(1).overtaking_period;
        CHECK(s.replies(0, {3}) == actions{complete_by_reply(t[2]), stage(t[1], 0, 4)});
    }
    SECTION("else it is the next") {
        CHECK(s.submit(t[2]) == actions{recall(0, 2)});
        CHECK(s.recalled(0, 2, slot_state::begun).empty());
        CHECK(s.replies(0, {1}) == actions{complete_by_reply(t[0])});
        CHECK(s.replies(0, {2}) == actions{complete_by_reply(t[1]), stage(t[2], 0, 3)});
    }
}

TEST_CASE("an old task in a pipe is not overtaken", "[pool]") {
    std::array<task, 3> t;
    t[2].priority = 1;
    script s(1);
    start_idle_worker(s);
    s.submit(t[0]);
    s.submit(t[1]);
    s.now += 1s;
    CHECK(s.submit(t[2]).empty());
    CHECK(s.replies(0, {1}) == actions{complete_by_reply(t[0]), stage(t[2], 0, 3)});
}

TEST_CASE("with an idle worker there is nothing to overtake", "[pool]") {
    std::array<task, 3> t;
    t[2].priority = 1;
    script s(2);
    s.submit(t[0]);
    s.submit(t[1]);
    s.ready(0);
    s.ready(1);
    s.recalled(0, 1, slot_state::recalled);
    s.replies(1, {0});
    CHECK(s.submit(t[2]) == actions{stage(t[2], 1, 1)});
}

namespace {

/// Two workers: the first in a task, with another behind it; the second with a short one; a fourth
/// task that waits.
struct behind_a_long_task {
    task longest;
    task behind;
    task brief;
    task last;
    script s{2};

    behind_a_long_task() {
        s.submit(longest);
        s.submit(behind);
        CHECK(s.ready(0) == actions{stage(longest, 0, 0), stage(behind, 0, 1)});
        CHECK(s.ready(1) == actions{recall(0, 1)});
        CHECK(s.recalled(0, 1, slot_state::recalled) == actions{stage(behind, 1, 0)});
        // Turned round, so that the second worker is the one that is ready first.
        CHECK(s.submit(brief) == actions{stage(brief, 0, 2)});
        CHECK(s.submit(last) == actions{stage(last, 1, 1)});
    }
};

} // namespace

TEST_CASE("what waits behind a long task goes to a worker that has room, before younger ones",
          "[pool]") {
    behind_a_long_task one;
    task youngest;
    CHECK(one.s.submit(youngest).empty());
    one.s.now += 5ms;
    // The second worker ends its first task, and has room: not for the youngest, but for the one
    // that waits behind the long task.
    CHECK(one.s.replies(1, {0}) == actions{complete_by_reply(one.behind), recall(0, 2)});
    CHECK(one.s.recalled(0, 2, slot_state::recalled) == actions{stage(one.brief, 1, 2)});
    CHECK(one.s.replies(1, {1}) == actions{complete_by_reply(one.last), stage(youngest, 1, 3)});
}

TEST_CASE("a worker in a long task gets nothing behind it", "[pool]") {
    task first;
    task second;
    script s(1);
    start_idle_worker(s);
    s.submit(first);
    s.now += limits_for(1).stall_period;
    CHECK(s.submit(second).empty());
    CHECK(s.replies(0, {1}) == actions{complete_by_reply(first), stage(second, 0, 2)});
}

TEST_CASE("an idle worker takes the oldest of what waits, also out of a pipe", "[pool]") {
    behind_a_long_task one;
    task youngest;
    CHECK(one.s.submit(youngest).empty());
    CHECK(one.s.replies(1, {0, 1}) ==
          actions{complete_by_reply(one.behind), complete_by_reply(one.last), recall(0, 2)});
    CHECK(one.s.recalled(0, 2, slot_state::recalled) ==
          actions{stage(one.brief, 1, 2), stage(youngest, 0, 3)});
}
