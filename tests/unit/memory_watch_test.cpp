#include "pool/memory_watch.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

// Whether a worker leaks: each state and event, what is said of functions, and random workers.

using namespace std::chrono_literals;
using coproc::pool::function_key;
using coproc::pool::growth_ledger;
using coproc::pool::memory_limits;
using coproc::pool::memory_watch;
using coproc::pool::no_memory_limit;
using coproc::pool::time_point;
using advice = memory_watch::advice;
using state = memory_watch::state;

namespace {

constexpr std::uint64_t mb = 1'000'000;
const int first_function = 0;
const int second_function = 0;
constexpr function_key fib{.address = &first_function};
constexpr function_key gcd{.address = &second_function};

constexpr memory_limits limits{
    .period = 1s, .max_growth = 300 * mb, .absolute = 900 * mb, .hard = 1000 * mb};

/// A worker and the clock.
struct watched {
    memory_watch watch{limits};
    time_point now{1h};

    advice measured(std::uint64_t bytes) { return watch.measured(bytes, now); }
    /// After a task.
    advice after_task(std::uint64_t bytes, const function_key& function = fib) {
        watch.ended(function);
        return measured(bytes);
    }
    /// What somebody sees then is of no importance.
    void after_first_task(std::uint64_t bytes, const function_key& function = fib) {
        CHECK(after_task(999 * mb, function) == advice::clean_up);
        CHECK(watch.cleaned(bytes) == advice::nothing);
    }
    void bring_to(state wanted) {
        if (wanted != state::fresh) {
            after_first_task(50 * mb);
        }
        if (wanted == state::cleaning || wanted == state::leaking) {
            CHECK(after_task(400 * mb) == advice::clean_up);
        }
        if (wanted == state::leaking) {
            CHECK(watch.cleaned(390 * mb) == advice::retire);
        }
        CHECK(watch.now() == wanted);
    }
};

constexpr state all_states[] = {state::fresh, state::watching, state::cleaning, state::leaking};

} // namespace

TEST_CASE("memory: what a worker says after its first task is the reference", "[pool][memory]") {
    watched w;
    CHECK_FALSE(w.watch.is_due(w.now));
    CHECK(w.measured(700 * mb) == advice::nothing); // in its first task
    CHECK(w.watch.now() == state::fresh);
    CHECK(w.after_task(800 * mb) == advice::clean_up);
    CHECK(w.watch.limit() == 900 * mb); // there is only the absolute one
    CHECK(w.after_task(950 * mb) == advice::nothing);
    CHECK(w.watch.cleaned(50 * mb) == advice::nothing);
    CHECK(w.watch.reference() == 50 * mb);
    CHECK(w.watch.limit() == 350 * mb);
    CHECK(w.after_task(350 * mb) == advice::nothing);
    CHECK(w.after_task(350 * mb + 1) == advice::clean_up);
    CHECK(w.watch.suspect() == 350 * mb + 1);
}

TEST_CASE("memory: a new worker is looked at soon, and then less often, down to once in a period",
          "[pool][memory]") {
    watched w;
    w.watch.ended(fib);
    CHECK(w.watch.is_due(w.now));
    w.after_first_task(50 * mb);
    for (const auto wait :
         {62'500us, 62'500us, 125'000us, 250'000us, 500'000us, 1'000'000us, 1'000'000us}) {
        INFO(wait.count());
        w.watch.ended(fib);
        CHECK_FALSE(w.watch.is_due(w.now));
        CHECK_FALSE(w.watch.is_due(w.now + wait - 1us));
        CHECK(w.watch.is_due(w.now + wait));
        w.now += wait;
        CHECK(w.measured(50 * mb) == advice::nothing);
        CHECK_FALSE(w.watch.is_due(w.now + 1h)); // no task has ended
    }
    w.watch.not_measured(w.now);
    w.watch.ended(fib);
    CHECK_FALSE(w.watch.is_due(w.now + 1s - 1us));
    CHECK(w.watch.is_due(w.now + 1s));
}

TEST_CASE("memory: a worker that grows is looked at before it can have too much",
          "[pool][memory]") {
    for (const std::uint64_t mb_per_second : {1, 10, 100, 300, 1'000, 3'000, 10'000}) {
        INFO(mb_per_second);
        watched w;
        w.after_first_task(50 * mb);
        const time_point start = w.now;
        const auto has = [&] {
            return 50 * mb + mb_per_second * static_cast<std::uint64_t>((w.now - start) / 1us);
        };
        int looks = 0;
        advice got = advice::nothing;
        while (got == advice::nothing) { // it has always just ended a task
            w.now += 1ms;
            w.watch.ended(fib);
            if (w.watch.is_due(w.now)) {
                got = w.measured(has());
                ++looks;
            }
        }
        const auto seconds = (w.now - start) / 1s + 1;
        CHECK(looks <= 64 * seconds);
        CHECK(looks <= 20 + seconds);
        // A first look that comes too late is a sixteenth of a period late.
        CHECK(has() <= 350 * mb + mb_per_second * mb / 16 + mb_per_second * mb / 1000);
        if (mb_per_second <= 1'000) {
            CHECK(got == advice::clean_up);
            CHECK(has() <= 350 * mb + mb_per_second * mb / 60);
        }
    }
}

TEST_CASE("memory: what a worker has after it has cleaned up decides", "[pool][memory]") {
    watched w;
    w.bring_to(state::cleaning);
    CHECK(w.after_task(500 * mb) == advice::nothing); // once is enough
    CHECK(w.watch.cleaned(350 * mb) == advice::nothing);
    CHECK(w.watch.now() == state::watching);
    CHECK(w.watch.after_cleaning() == 350 * mb);
    CHECK(w.after_task(400 * mb) == advice::clean_up);
    CHECK(w.watch.cleaned(351 * mb) == advice::retire);
    CHECK(w.watch.suspect() == 400 * mb);
    CHECK(w.watch.after_cleaning() == 351 * mb);
    CHECK(w.watch.reference() == 50 * mb);
}

TEST_CASE("memory: a worker that cannot measure itself is judged by the last look",
          "[pool][memory]") {
    watched w;
    w.bring_to(state::cleaning);
    CHECK(w.after_task(60 * mb) == advice::nothing);
    CHECK(w.watch.cleaned(0) == advice::nothing);
    CHECK(w.after_task(400 * mb) == advice::clean_up);
    CHECK(w.watch.cleaned(0) == advice::retire);
}

TEST_CASE("memory: the hard limit holds in every state, tasks or not", "[pool][memory]") {
    for (const state s : all_states) {
        INFO(static_cast<int>(s));
        watched w;
        w.bring_to(s);
        CHECK(w.measured(1000 * mb) == advice::nothing);
        CHECK(w.measured(1000 * mb + 1) == advice::kill);
        CHECK(w.watch.suspect() == 1000 * mb + 1);
    }
}

TEST_CASE("memory: an answer that was not asked for changes nothing", "[pool][memory]") {
    for (const state s : {state::fresh, state::watching, state::leaking}) {
        watched w;
        w.bring_to(s);
        CHECK(w.watch.cleaned(999 * mb) == advice::nothing);
        CHECK(w.watch.now() == s);
    }
}

TEST_CASE("memory: a worker is advised to be replaced once", "[pool][memory]") {
    watched w;
    w.bring_to(state::leaking);
    for (int i = 0; i < 3; ++i) {
        CHECK(w.after_task(800 * mb) == advice::nothing);
    }
}

TEST_CASE("memory: one that leaks and is kept all the same is advised to be replaced again",
          "[pool][memory]") {
    watched w;
    w.bring_to(state::leaking);
    w.watch.kept();
    CHECK(w.after_task(200 * mb) == advice::nothing);
    CHECK(w.after_task(800 * mb) == advice::clean_up);
    CHECK(w.watch.cleaned(800 * mb) == advice::retire);
    for (const state s : {state::fresh, state::watching, state::cleaning}) {
        watched other;
        other.bring_to(s);
        other.watch.kept();
        CHECK(other.watch.now() == s);
    }
}

TEST_CASE("memory: the absolute limit does not ask for a reference", "[pool][memory]") {
    watched w;
    CHECK(w.after_task(60 * mb) == advice::clean_up);
    CHECK(w.watch.cleaned(901 * mb) == advice::retire);
    watched large;
    large.after_first_task(800 * mb);
    CHECK(large.watch.limit() == 900 * mb); // sooner than by growth
}

TEST_CASE("memory: limits that nobody gave are never reached", "[pool][memory]") {
    CHECK_FALSE(memory_limits{}.any());
    CHECK(memory_limits{.max_growth = 0}.any());
    CHECK(memory_limits{.absolute = 0}.any());
    CHECK(memory_limits{.hard = 0}.any());
    for (const std::uint64_t growth : {no_memory_limit, no_memory_limit - 1}) {
        memory_watch watch({.max_growth = growth});
        watch.ended(fib);
        CHECK(watch.measured(7, time_point(1h)) == advice::clean_up);
        CHECK(watch.cleaned(7) == advice::nothing);
        watch.ended(fib);
        CHECK(watch.measured(no_memory_limit, time_point(1h)) == advice::nothing);
        CHECK(watch.limit() == no_memory_limit);
    }
}

TEST_CASE("memory: growth is that of the functions whose tasks have ended", "[pool][memory]") {
    watched w;
    w.after_first_task(10 * mb, gcd); // nothing is grown yet
    w.after_task(40 * mb, fib);
    w.measured(90 * mb); // in the midst of a task
    w.after_task(60 * mb, gcd);
    std::vector<growth_ledger::entry> found = w.watch.functions().growing();
    REQUIRE(found.size() == 2);
    CHECK(found[0].is(fib));
    CHECK(found[0].bytes == 30 * mb);
    CHECK(found[0].tasks == 1);
    CHECK(found[1].is(gcd));
    CHECK(found[1].bytes == 20 * mb);
    CHECK(found[1].tasks == 1);
    // Several at once: shared by their number.
    for (const function_key& one : {gcd, fib, gcd, gcd}) {
        w.watch.ended(one);
    }
    w.measured(100 * mb);
    found = w.watch.functions().growing();
    CHECK(found[0].is(gcd));
    CHECK(found[0].bytes == 50 * mb);
    CHECK(found[0].tasks == 4);
    CHECK(found[1].bytes == 40 * mb);
    // What is given back counts, too, but not what was given back by cleaning up.
    w.after_task(55 * mb, fib);
    CHECK(w.watch.functions().growing().size() == 1);
    w.after_task(400 * mb, gcd);
    CHECK(w.watch.cleaned(10 * mb) == advice::nothing);
    w.after_task(11 * mb, gcd);
    found = w.watch.functions().growing();
    CHECK(found[0].bytes == (50 + 345 + 1) * mb);
}

TEST_CASE("memory: functions are told apart by address or name, most of them", "[pool][memory]") {
    growth_ledger ledger;
    const char* const name = "fib";
    ledger.ended({.address = &first_function, .name = name});
    ledger.ended({.exported = std::string("resize")});
    ledger.ended({.exported = std::string("crop")});
    ledger.ended({.exported = std::string("resize")});
    ledger.share(40);
    const auto found = ledger.growing();
    REQUIRE(found.size() == 3);
    CHECK(found[0].exported == "resize");
    CHECK(found[0].bytes == 20);
    CHECK(found[1].name == name);
    CHECK(found[2].exported == "crop");
    CHECK_FALSE(ledger.has_recent());

    growth_ledger crowded;
    for (int round = 0; round < 2; ++round) {
        for (std::size_t i = 0; i < growth_ledger::most + 10; ++i) {
            crowded.ended({.exported = "function " + std::to_string(i)});
        }
    }
    crowded.share(static_cast<std::int64_t>(2 * growth_ledger::most + 20));
    const auto many = crowded.growing();
    REQUIRE(many.size() == growth_ledger::most + 1);
    CHECK(many[0].is({})); // all others
    CHECK(many[0].bytes == 20);
    CHECK(many[1].bytes == 2);
}

namespace {

/// A worker that runs tasks, seen from inside.
struct sim_worker {
    std::uint64_t kept = 40 * mb; ///< between tasks
    std::uint64_t freed = 0;      ///< of this, what cleaning up gives back
    std::uint64_t transient = 0;  ///< in the task that runs
    bool asked = false;

    std::uint64_t has() const { return kept + transient; }
};

} // namespace

TEST_CASE("memory: of random workers all that leak are replaced, and no others",
          "[pool][memory][simulation]") {
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
        INFO("seed " << seed);
        std::mt19937_64 random(seed);
        const auto up_to = [&random](std::uint64_t most) { return random() % (most + 1); };
        const std::uint64_t leak = seed % 2 == 0 ? 0 : (1 + up_to(20)) * mb;
        const std::uint64_t cached = up_to(30) * mb;
        memory_watch watch({.period = 1s, .max_growth = 100 * mb});
        sim_worker worker;
        time_point now{1h};
        bool replaced = false;
        std::uint64_t most_kept = 0;
        for (int task = 0; task < 300 && !replaced; ++task) {
            // Commands are obeyed between tasks.
            if (std::exchange(worker.asked, false)) {
                worker.kept -= std::exchange(worker.freed, 0);
                const std::uint64_t left = worker.kept;
                const std::uint64_t limit = watch.limit();
                replaced = watch.cleaned(left) == advice::retire;
                REQUIRE(replaced == (left > limit));
                REQUIRE((leak > 0 || !replaced));
            }
            worker.transient = up_to(900) * mb;
            if (up_to(2) == 0) { // a look in the midst of it
                worker.asked |= watch.measured(worker.has(), now) == advice::clean_up;
            }
            worker.transient = 0;
            worker.kept += leak + cached;
            worker.freed += cached;
            now += up_to(1500) * 1ms;
            watch.ended(fib);
            if (watch.is_due(now)) {
                const bool next_has_begun = up_to(3) == 0;
                worker.transient = next_has_begun ? up_to(900) * mb : 0;
                worker.asked |= watch.measured(worker.has(), now) == advice::clean_up;
                worker.transient = 0;
            }
            most_kept = std::max(most_kept, worker.kept);
        }
        CHECK(replaced == (leak > 0));
        if (leak > 0) {
            const auto found = watch.functions().growing();
            REQUIRE((found.size() == 1 && found[0].is(fib)));
        }
        // Some looks late.
        CHECK(most_kept <= watch.limit() + 50 * (leak + cached));
    }
}
