#include "pool/zygote_plan.hpp"

#include "support/catch.hpp"

#include <chrono>
#include <ostream>
#include <vector>

namespace coproc::pool {
std::ostream& operator<<(std::ostream& out, const zygote_action& a) {
    const char* const names[] = {"start", "preload", "request", "kill", "give_back", "fail"};
    return out << names[static_cast<int>(a.kind)] << ' ' << a.worker;
}
} // namespace coproc::pool

// When there is a zygote, and whose start has failed when there is none any more.

using namespace coproc::pool;
using namespace std::chrono_literals;
using kind = zygote_action_kind;

namespace {

constexpr time_point start{};

/// What the plan has decided since this was last asked.
struct zygote {
    explicit zygote(bool preloads) : plan({.start = 1s, .preload = 10s, .preloads = preloads}) {}

    zygote_actions decided() { return std::exchange(out, {}); }

    /// Up to where it forks, with one worker requested and answered.
    void make_ready(std::uint32_t worker) {
        plan.want(worker, start, out);
        plan.started(start);
        plan.greeted(start, out);
        plan.preloaded(start, out);
        REQUIRE(plan.answered(worker, start));
        out.clear();
    }

    zygote_plan plan;
    zygote_actions out;
};

} // namespace

TEST_CASE("zygote: it is started for the first worker, and all wait for it") {
    zygote z(true);
    CHECK(z.plan.state() == zygote_state::none);
    CHECK(z.plan.limit() == never);
    z.plan.want(3, start, z.out);
    CHECK(z.decided() == zygote_actions{{.kind = kind::start}});
    z.plan.want(5, start, z.out);
    CHECK(z.decided().empty());
    CHECK_FALSE(z.plan.awaits_news());

    z.plan.started(start);
    CHECK(z.plan.limit() == start + 1s);
    CHECK(z.plan.awaits_news());
    z.plan.greeted(start + 1ms, z.out);
    CHECK(z.decided() == zygote_actions{{.kind = kind::preload}});
    CHECK(z.plan.state() == zygote_state::preloading);
    CHECK(z.plan.limit() == start + 1ms + 10s);

    z.plan.preloaded(start + 2ms, z.out);
    CHECK(z.decided() == zygote_actions{{kind::request, 3}, {kind::request, 5}});
    CHECK(z.plan.state() == zygote_state::ready);
    CHECK(z.plan.limit() == start + 2ms + 1s);
    CHECK(z.plan.answered(3, start + 3ms));
    CHECK(z.plan.limit() == start + 3ms + 1s);
    CHECK(z.plan.answered(5, start + 4ms));
    CHECK(z.plan.limit() == never);
    CHECK_FALSE(z.plan.awaits_news());
}

TEST_CASE("zygote: with nothing to preload its hello is all that it takes") {
    zygote z(false);
    z.plan.want(0, start, z.out);
    z.plan.started(start);
    static_cast<void>(z.decided());
    z.plan.greeted(start, z.out);
    CHECK(z.decided() == zygote_actions{{kind::request, 0}});
    z.plan.greeted(start, z.out);
    z.plan.preloaded(start, z.out);
    CHECK(z.decided().empty());
}

TEST_CASE("zygote: once it is ready, workers are requested at once") {
    zygote z(true);
    z.make_ready(0);
    z.plan.want(1, start + 1min, z.out);
    CHECK(z.decided() == zygote_actions{{kind::request, 1}});
    CHECK(z.plan.limit() == start + 1min + 1s);
    z.plan.want(2, start + 1min + 1ms, z.out);
    CHECK(z.decided() == zygote_actions{{kind::request, 2}});
    CHECK(z.plan.limit() == start + 1min + 1s); // the first is the one that waits longest
}

TEST_CASE("zygote: a worker that is not wanted any more is forgotten unless it was requested") {
    zygote z(true);
    z.plan.want(1, start, z.out);
    z.plan.want(2, start, z.out);
    CHECK(z.plan.forget(1));
    CHECK_FALSE(z.plan.forget(1));
    z.plan.started(start);
    z.plan.greeted(start, z.out);
    static_cast<void>(z.decided());
    z.plan.preloaded(start, z.out);
    CHECK(z.decided() == zygote_actions{{kind::request, 2}});
    CHECK_FALSE(z.plan.forget(2));
    CHECK(z.plan.answered(2, start));
}

TEST_CASE("zygote: an answer that nobody asked for is none") {
    zygote z(true);
    CHECK_FALSE(z.plan.answered(0, start));
    z.make_ready(0);
    CHECK_FALSE(z.plan.answered(0, start));
}

TEST_CASE("zygote: one that is lost is one failed start, whoever waits") {
    zygote z(true);
    z.plan.want(1, start, z.out);
    z.plan.want(2, start, z.out);
    z.plan.want(3, start, z.out);
    SECTION("it could not be started") {}
    SECTION("it had not said hello") { z.plan.started(start); }
    SECTION("it was preloading") {
        z.plan.started(start);
        z.plan.greeted(start, z.out);
    }
    SECTION("it had orders") {
        z.plan.started(start);
        z.plan.greeted(start, z.out);
        z.plan.preloaded(start, z.out);
    }
    static_cast<void>(z.decided());
    z.plan.lost(z.out);
    CHECK(z.decided() ==
          zygote_actions{{kind::give_back, 2}, {kind::give_back, 3}, {kind::fail, 1}});
    CHECK(z.plan.state() == zygote_state::none);
    CHECK(z.plan.limit() == never);
    CHECK_FALSE(z.plan.awaits_news());
    CHECK_FALSE(z.plan.answered(1, start));
    z.plan.want(1, start, z.out);
    CHECK(z.decided() == zygote_actions{{.kind = kind::start}});
}

TEST_CASE("zygote: the end of one that has nothing to do is nobody's failure") {
    zygote z(true);
    z.make_ready(0);
    z.plan.lost(z.out);
    CHECK(z.decided().empty());
    z.plan.want(1, start, z.out);
    CHECK(z.decided() == zygote_actions{{.kind = kind::start}});
}

TEST_CASE("zygote: each of its steps has a time, and then it is killed") {
    zygote z(true);
    z.plan.want(0, start, z.out);
    z.plan.started(start);
    time_point limit = start + 1s;
    SECTION("hello") {}
    SECTION("preload") {
        z.plan.greeted(start, z.out);
        limit = start + 10s;
    }
    SECTION("fork") {
        z.plan.greeted(start, z.out);
        z.plan.preloaded(start, z.out);
    }
    static_cast<void>(z.decided());
    CHECK(z.plan.limit() == limit);
    z.plan.tick(limit - 1ms, z.out);
    CHECK(z.decided().empty());
    z.plan.tick(limit, z.out);
    CHECK(z.decided() == zygote_actions{{.kind = kind::kill}});
    CHECK(z.plan.state() == zygote_state::ending);
    CHECK(z.plan.awaits_news());
    z.plan.tick(limit + 1h, z.out);
    z.plan.distrust(z.out);
    z.plan.want(7, limit, z.out);
    CHECK(z.decided().empty());
    z.plan.lost(z.out);
    CHECK(z.decided() == zygote_actions{{kind::give_back, 7}, {kind::fail, 0}});
}

TEST_CASE("zygote: what it answers before its end counts") {
    zygote z(false);
    z.make_ready(0);
    z.plan.want(1, start, z.out);
    z.plan.want(2, start, z.out);
    z.plan.distrust(z.out);
    static_cast<void>(z.decided());
    CHECK(z.plan.answered(1, start));
    CHECK(z.plan.limit() == never);
    z.plan.lost(z.out);
    CHECK(z.decided() == zygote_actions{{kind::fail, 2}});
}

TEST_CASE("zygote: its time starts again where nobody has listened to it") {
    zygote z(true);
    z.plan.listen_again(start + 1h);
    CHECK(z.plan.limit() == never);
    z.plan.want(1, start, z.out);
    z.plan.listen_again(start + 1h);
    CHECK(z.plan.limit() == never);
    z.plan.started(start);
    z.plan.listen_again(start + 1h);
    CHECK(z.plan.limit() == start + 1h + 1s);
    z.plan.greeted(start, z.out);
    z.plan.listen_again(start + 1h);
    CHECK(z.plan.limit() == start + 1h + 10s);
    z.plan.preloaded(start, z.out); // the fork is requested
    z.plan.listen_again(start + 1h);
    CHECK(z.plan.limit() == start + 1h + 1s);
    REQUIRE(z.plan.answered(1, start));
    z.plan.listen_again(start + 1h);
    CHECK(z.plan.limit() == never);
}
