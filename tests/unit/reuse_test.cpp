#include "support/catch.hpp"

#include "reuse/decision.hpp"
#include "reuse/settings.hpp"

#include <array>
#include <chrono>
#include <ostream>
#include <string>
#include <vector>

// What becomes of a reusable executor when it is asked for: each case of it.

using namespace coproc;
using namespace std::chrono_literals;

namespace coproc::reuse {

std::ostream& operator<<(std::ostream& out, const decision& d) {
    return out << "step " << static_cast<int>(d.next) << ", options of "
               << static_cast<int>(d.options) << ", workers "
               << (d.max_workers ? std::to_string(*d.max_workers) : "default") << ", kill "
               << d.kill;
}

} // namespace coproc::reuse

namespace {

using reuse::decide;
using reuse::decision;
using reuse::source;
using reuse::state;
using reuse::step;

/// Without a look at the environment, which is no business of pure code.
executor_options given() { return {.start = start_method::exec}; }

executor_options with(std::optional<std::size_t> max_workers) {
    executor_options options = reuse::with_defaults(given());
    options.max_workers = max_workers;
    return options;
}

executor_options other(std::optional<std::size_t> max_workers) {
    executor_options options = with(max_workers);
    options.environment = {{"A", "1"}};
    return options;
}

const executor_options made = with(3);

/// One that was made with 3 workers and resized to 4.
reuse::present there(state is) { return {.is = is, .options = &made, .max_workers = 4}; }

/// Changes one field.
using change = void (*)(executor_options&);
constexpr std::array compared{
    change([](executor_options& o) { o.min_workers = 1; }),
    change([](executor_options& o) { o.max_queued = 7; }),
    change([](executor_options& o) { o.idle_timeout = 11s; }),
    change([](executor_options& o) { o.environment["A"] = "1"; }),
    change([](executor_options& o) { o.start = start_method::exec_main; }),
    change([](executor_options& o) { o.program = "/a/program"; }),
    change([](executor_options& o) { o.executable = "/a/program"; }),
    change([](executor_options& o) { o.max_tasks_per_worker = 7; }),
    change([](executor_options& o) { o.max_worker_age = 1h; }),
    change([](executor_options& o) { o.leak.max_growth = 7'000'000; }),
    change([](executor_options& o) { o.max_failed_starts = 7; }),
    change([](executor_options& o) { o.start_timeout = 7s; }),
    change([](executor_options& o) { o.initializer_timeout = 7s; }),
    change([](executor_options& o) { o.exit_timeout = 7s; }),
    change([](executor_options& o) { o.max_message_bytes = 1 << 20; }),
    change([](executor_options& o) { o.capture_output = true; }),
    change([](executor_options& o) { o.core_dumps = true; }),
    change([](executor_options& o) { o.process.working_directory = "/"; }),
    change([](executor_options& o) { o.process.nice = 1; }),
    change([](executor_options& o) { o.process.affinity = {{0}}; }),
    change([](executor_options& o) { o.process.limits.memory_bytes = 1 << 30; }),
    change([](executor_options& o) { o.process.limits.cpu_time = 1h; }),
    change([](executor_options& o) { o.process.limits.open_files = 100; }),
    change([](executor_options& o) { o.process.limits.file_bytes = 100; }),
    change([](executor_options& o) { o.process.limits.stack_bytes = 1 << 20; }),
};

} // namespace

TEST_CASE("the first call makes an executor", "[reuse]") {
    for (const reuse_policy reuse :
         {reuse_policy::automatic, reuse_policy::always, reuse_policy::never}) {
        CHECK(decide({}, with(2), {.reuse = reuse, .kill_workers = true}) ==
              decision{.next = step::replace, .max_workers = 2});
        CHECK(decide({}, with({}), {.reuse = reuse}) == decision{.next = step::replace});
    }
}

TEST_CASE("an executor with equal options is reused, and resized when asked to", "[reuse]") {
    CHECK(decide(there(state::serving), with({}), {}) == decision{});
    CHECK(decide(there(state::serving), with(4), {}) == decision{});
    CHECK(decide(there(state::serving), with(3), {}) ==
          decision{.next = step::resize, .max_workers = 3});
    CHECK(decide(there(state::serving), with(3), {.kill_workers = true}) ==
          decision{.next = step::resize, .max_workers = 3}); // only a replacement kills
}

TEST_CASE("other options replace an executor, and are the new one's", "[reuse]") {
    for (const bool kill : {false, true}) {
        for (const state is : {state::serving, state::broken, state::ended}) {
            CHECK(decide(there(is), other({}), {.kill_workers = kill}) ==
                  decision{.next = step::replace, .kill = kill});
            CHECK(decide(there(is), other(2), {.kill_workers = kill}) ==
                  decision{.next = step::replace, .max_workers = 2, .kill = kill});
        }
    }
}

TEST_CASE("always reuses whatever is there, but for its size", "[reuse]") {
    const reuse_options always{.reuse = reuse_policy::always};
    CHECK(decide(there(state::serving), other({}), always) == decision{});
    CHECK(decide(there(state::serving), other(4), always) == decision{});
    CHECK(decide(there(state::serving), other(5), always) ==
          decision{.next = step::resize, .max_workers = 5});
}

TEST_CASE("never reuses nothing", "[reuse]") {
    for (const state is : {state::serving, state::broken, state::ended}) {
        CHECK(decide(there(is), with({}), {.reuse = reuse_policy::never}) ==
              decision{.next = step::replace});
        CHECK(decide(there(is), with(4), {.reuse = reuse_policy::never, .kill_workers = true}) ==
              decision{.next = step::replace, .max_workers = 4, .kill = true});
    }
}

TEST_CASE("what is broken or ended hands its settings and its size on", "[reuse]") {
    for (const state is : {state::broken, state::ended}) {
        for (const bool kill : {false, true}) {
            const decision same{
                .next = step::replace, .options = source::present, .max_workers = 4, .kill = kill};
            CHECK(decide(there(is), with({}), {.kill_workers = kill}) == same);
            const reuse_options always{.reuse = reuse_policy::always, .kill_workers = kill};
            CHECK(decide(there(is), other({}), always) == same);
            decision sized = same;
            sized.max_workers = 9;
            CHECK(decide(there(is), with(9), {.kill_workers = kill}) == sized);
            CHECK(decide(there(is), other(9), always) == sized);
        }
    }
}

TEST_CASE("settings are the same if each field is, but the number of workers", "[reuse]") {
    CHECK(reuse::same_settings(with({}), with(7)));
    for (std::size_t i = 0; i < compared.size(); ++i) {
        INFO("change " << i);
        executor_options changed = with({});
        compared[i](changed);
        CHECK_FALSE(reuse::same_settings(changed, with({})));
        CHECK(reuse::same_settings(changed, changed));
    }
}

TEST_CASE("a reusable executor lets its workers go after 10 s, and watches them", "[reuse]") {
    CHECK(reuse::with_defaults(given()).idle_timeout == duration(10s));
    CHECK(reuse::with_defaults(given()).watch_idle);
    executor_options ever = given();
    ever.idle_timeout = no_limit;
    CHECK(reuse::with_defaults(ever).idle_timeout == no_limit);
    CHECK_FALSE(reuse::same_settings(reuse::with_defaults(ever), with({})));
    executor_options watched = given();
    watched.watch_idle = true;
    CHECK(reuse::same_settings(reuse::with_defaults(watched), with({})));
}

TEST_CASE("an executor with an observer serves who made it, and who takes any", "[reuse]") {
    executor_options watched = with(3);
    watched.observer = [](const event&) {};
    const reuse::present it{.is = state::serving, .options = &watched, .max_workers = 4};
    CHECK(decide(it, watched, {}) == decision{.next = step::replace, .max_workers = 3});
    CHECK(decide(it, with({}), {}) == decision{.next = step::replace});
    CHECK(decide(it, watched, {.reuse = reuse_policy::always}) ==
          decision{.next = step::resize, .max_workers = 3});
    CHECK(decide(it, with({}), {.reuse = reuse_policy::always}) == decision{});
}
