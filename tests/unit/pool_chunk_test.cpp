#include "unit/pool_fixture.hpp"

// A chunk whose worker dies leaves a rest, which another worker is given.
using namespace coproc;
using namespace coproc::test;

namespace {

action lose(task& t, std::uint32_t worker, std::uint64_t sequence) {
    return {.kind = action_kind::lose,
            .code = errc::worker_terminated,
            .how_certain = certainty::may_have_run,
            .worker = worker,
            .sequence = sequence,
            .subject = &t};
}

struct one_begun {
    task t;
    script s{1};

    one_begun() {
        start_idle_worker(s);
        CHECK(s.submit(t) == actions{stage(t, 0, 1)});
    }
};

} // namespace

TEST_CASE("the rest of a chunk goes to another worker, as the task that it was", "[pool][chunk]") {
    one_begun one;
    CHECK(one.s.exited(0, {slot_state::begun_in_part}) == actions{lose(one.t, 0, 1), start(0)});
    CHECK(one.t.state == task_state::queued);
    CHECK(one.t.deaths == 0);
    CHECK(one.s.ready(0) == actions{stage(one.t, 0, 0)});

    SECTION("and so on") {
        CHECK(one.s.exited(0, {slot_state::begun_in_part}) == actions{lose(one.t, 0, 0), start(0)});
    }
    SECTION("and ends") { CHECK(one.s.replies(0, {0}) == actions{complete_by_reply(one.t)}); }
    SECTION("until nothing is left") {
        CHECK(one.s.exited(0, {slot_state::begun}) ==
              actions{may_have_run(one.t, errc::worker_terminated)});
    }
}

TEST_CASE("a chunk that may be run again loses nothing", "[pool][chunk]") {
    one_begun one;
    one.t.retries = 1;
    CHECK(one.s.exited(0, {slot_state::begun_in_part}) == actions{start(0)});
    CHECK(one.t.deaths == 1);
    CHECK(one.s.ready(0) == actions{stage(one.t, 0, 0)});
    CHECK(one.s.exited(0, {slot_state::begun_in_part}) == actions{lose(one.t, 0, 0), start(0)});
}

TEST_CASE("a chunk is judged when its worker is dead, not when it crashes", "[pool][chunk]") {
    one_begun one;
    CHECK(one.s.crashed(0, true) == actions{recall(0, 1)});
    CHECK(one.s.recalled(0, 1, slot_state::begun_in_part) == actions{});
    CHECK(one.t.state == task_state::staged);
    CHECK(one.s.exited(0, {slot_state::begun_in_part}) == actions{lose(one.t, 0, 1), start(0)});
}

TEST_CASE("a chunk that runs is cancelled and timed out as a whole", "[pool][chunk]") {
    one_begun one;
    one.t.grace = 100ms;
    CHECK(one.s.cancel(one.t, cancel_type::terminal) == actions{recall(0, 1)});
    CHECK(one.s.recalled(0, 1, slot_state::begun_in_part) ==
          actions{may_have_run(one.t, errc::cancelled), request_stop(0, 1)});
}

TEST_CASE("of a chunk that was cancelled when its worker died the rest did not start",
          "[pool][chunk]") {
    one_begun one;
    CHECK(one.s.cancel(one.t, GENERATE(cancel_type::terminal, cancel_type::total)) ==
          actions{recall(0, 1)});
    CHECK(one.s.exited(0, {slot_state::begun_in_part}) ==
          actions{lose(one.t, 0, 1), not_started(one.t, errc::cancelled)});
}

TEST_CASE("the rest of a chunk that was cancelled while it ran is not run elsewhere",
          "[pool][chunk]") {
    one_begun one;
    one.t.retries = GENERATE(0u, 1u);
    const cancel_type type = GENERATE(cancel_type::partial, cancel_type::total);
    CHECK(one.s.cancel(one.t, type) == actions{recall(0, 1)});
    CHECK(one.s.recalled(0, 1, slot_state::begun_in_part) ==
          (type == cancel_type::partial ? actions{request_stop(0, 1)} : actions{}));
    CHECK(one.s.exited(0, {slot_state::begun_in_part}) ==
          actions{lose(one.t, 0, 1), not_started(one.t, errc::cancelled)});
}

TEST_CASE("in a shutdown the rest of a chunk is not run", "[pool][chunk]") {
    one_begun one;
    CHECK(one.s.shut_down(shutdown_mode::cancel_queued) == actions{recall(0, 1)});
    CHECK(one.s.recalled(0, 1, slot_state::begun_in_part) == actions{});
    CHECK(one.s.exited(0, {slot_state::begun_in_part}) ==
          actions{lose(one.t, 0, 1), not_started(one.t, errc::executor_shutdown),
                  shutdown_complete()});
}
