#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/matchers.hpp"
#include "support/meeting.hpp"
#include "support/owned_memory.hpp"

#include <coproc/codecs/chrono.hpp>
#include <coproc/coproc.hpp>
#include <coproc/map.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <future>
#include <memory>
#include <numeric>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

// Workers whose memory grows. Every look at them follows from a task's end, and the period is
// shorter than any task, so nothing here depends on how fast anything is; but for the first case,
// which has the default options.

namespace {

using coproc::call;
using coproc::certainty;
using coproc::errc;
using coproc::memory_shortage;
using coproc::test::anonymous_memory;
using coproc::test::shared_memory;
using namespace std::chrono_literals;

constexpr std::size_t mb = 1'000'000;
constexpr coproc::duration always = 1ns;

/// Bytes of this process's own, as a user would ask for them.
std::size_t own_memory() {
    std::ifstream status("/proc/self/status");
    std::string name;
    for (std::size_t kib = 0; status >> name;) {
        if (name == "RssAnon:" && status >> kib) {
            return kib * 1024;
        }
    }
    return 0;
}

struct state_of_worker {
    int pid = 0;
    std::size_t memory = 0;
};
state_of_worker look() { return {.pid = ::getpid(), .memory = own_memory()}; }

std::vector<std::unique_ptr<anonymous_memory>> kept;
state_of_worker leak(std::size_t bytes) {
    kept.push_back(std::make_unique<anonymous_memory>(bytes));
    return look();
}

state_of_worker take_and_free(std::size_t bytes) {
    const anonymous_memory taken(bytes);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // these keep it all
    // And from malloc, in small pieces, of which the last keeps it from giving the others back.
    std::vector<std::unique_ptr<char[]>> pieces;
    for (std::size_t all = 0; all < bytes; all += 4000) {
        pieces.push_back(std::make_unique<char[]>(4000));
    }
    static std::unique_ptr<char[]> barrier;
    barrier = std::make_unique<char[]>(3000);
#endif
    return look();
}

std::vector<std::unique_ptr<shared_memory>> arenas;
state_of_worker share(std::size_t bytes) {
    arenas.push_back(std::make_unique<shared_memory>(bytes));
    return arenas.back()->is_there() ? look() : state_of_worker();
}

int cleaned = 0;
state_of_worker fill_cache(std::size_t bytes) {
    if (kept.empty() && cleaned == 0) {
        coproc::this_worker::on_cleanup([] {
            ++cleaned;
            kept.clear();
        });
    }
    return leak(bytes);
}
int times_cleaned() { return cleaned; }

[[noreturn]] void hang() {
    for (;;) {
        ::pause();
    }
}
int hang_when_cleaning() {
    coproc::this_worker::on_cleanup([] { hang(); });
    return ::getpid();
}
int take_and_hang(std::size_t bytes) {
    leak(bytes);
    hang();
}
int take_much_if_7(int n) { return n == 7 ? take_and_hang(300 * mb) : n; }
void begin_when_let(const std::string& name) { test::visit(name).await_leave(); }

/// What a worker has that has done nothing.
asio::awaitable<std::size_t> memory_of_fresh_worker() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto got = co_await executor.submit(look);
    co_return got.value().memory;
}

template <class Condition>
asio::awaitable<void> until(Condition condition) {
    while (!condition()) {
        co_await test::turn();
    }
}

state_of_worker leak_awhile(std::size_t bytes, std::chrono::microseconds awhile) {
    std::this_thread::sleep_for(awhile);
    return leak(bytes);
}

// loky: test_memory_leak_protection, with its bound. All lie in the pipe or the queue at once. A
// worker goes on while its successor starts, so a task takes a part of that time, which is much
// longer with sanitizers and on a busy machine.
asio::awaitable<void> many_that_leak() {
    const auto loop = co_await asio::this_coro::executor;
    const auto before = std::chrono::steady_clock::now();
    co_await memory_of_fresh_worker();
    const auto awhile = std::chrono::duration_cast<std::chrono::microseconds>(
        std::max<std::chrono::nanoseconds>(1ms, (std::chrono::steady_clock::now() - before) / 10));
    coproc::executor executor(loop, {.max_workers = 1});
    std::size_t greatest = 0;
    std::vector<coproc::job<state_of_worker>> jobs;
    for (int i = 0; i < 300; ++i) {
        jobs.push_back(executor.submit(leak_awhile, 3 * mb, awhile));
    }
    for (auto& job : jobs) {
        const auto got = co_await std::move(job);
        REQUIRE(got.has_value());
        REQUIRE(got.value().memory > 0);
        greatest = std::max(greatest, got.value().memory);
    }
    CHECK(greatest < 650 * mb); // of 900
    CHECK(executor.stats().started_workers > 1);
    CHECK(executor.stats().crashed_workers == 0);
}

/// The same, and whenever a successor is on its way nothing is done until it is there: so how far a
/// worker may grow does not depend on how long that takes.
asio::awaitable<void> leaks_are_bounded(coproc::leak_options leaks, std::size_t most) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .leak = leaks});
    std::set<int> pids;
    std::size_t greatest = 0;
    for (int i = 0; i < 300; ++i) {
        const auto got = co_await executor.submit(leak, 3 * mb);
        REQUIRE(got.has_value());
        pids.insert(got.value().pid);
        greatest = std::max(greatest, got.value().memory);
        if (executor.stats().starting_workers > 0) {
            const auto ready = co_await executor.async_start(1);
            REQUIRE(ready.has_value());
        }
    }
    CHECK(greatest < most);
    CHECK(pids.size() > 5);
    CHECK(executor.stats().started_workers <= 20);
    CHECK(executor.stats().crashed_workers == 0);
}

asio::awaitable<void> bounded_by_growth() {
    const std::size_t fresh = co_await memory_of_fresh_worker();
    const coproc::leak_options leaks{.period = always, .max_growth = 60 * mb};
    co_await leaks_are_bounded(leaks, fresh + 120 * mb);
}

asio::awaitable<void> bounded_absolutely() {
    const std::size_t fresh = co_await memory_of_fresh_worker();
    const coproc::leak_options leaks{
        .period = always, .max_growth = coproc::no_bound, .absolute = fresh + 60 * mb};
    co_await leaks_are_bounded(leaks, fresh + 120 * mb);
}

/// One worker runs all of these.
asio::awaitable<void> one_worker(coproc::leak_options leaks, state_of_worker (*task)(std::size_t),
                                 std::size_t bytes) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .leak = leaks});
    std::vector<coproc::job<state_of_worker>> jobs;
    for (int i = 0; i < 60; ++i) { // so that most looks come in the midst of the next task
        jobs.push_back(executor.submit(task, bytes));
    }
    std::set<int> pids;
    for (auto& job : jobs) {
        const auto got = co_await std::move(job);
        REQUIRE(got.has_value());
        REQUIRE(got.value().memory > 0);
        pids.insert(got.value().pid);
    }
    CHECK(pids.size() == 1);
    const auto cleaned_up = co_await executor.submit(times_cleaned);
    CHECK((cleaned_up.value() > 0) == (task == fill_cache));
    CHECK(executor.stats().started_workers == 1);
}

void leak_when_asked_to_stop(const std::stop_token& stop, const std::string& name) {
    std::promise<void> asked;
    const std::stop_callback when_asked(stop, [&asked] { asked.set_value(); });
    const auto other = test::visit(name);
    asked.get_future().get();
    leak(30 * mb);
}

asio::awaitable<void> leaks_of_given_up_tasks() {
    const auto loop = co_await asio::this_coro::executor;
    const coproc::leak_options leaks{.period = always, .max_growth = 60 * mb};
    coproc::executor executor(loop, {.max_workers = 1, .leak = leaks});
    test::meeting meeting(loop);
    for (int i = 0; i < 20; ++i) {
        auto job = executor.submit({.grace = 1h}, leak_when_asked_to_stop, meeting.name());
        const auto here = co_await meeting.arrival();
        job.cancel();
        const auto got = co_await std::move(job);
        CHECK(got.error() == errc::cancelled);
    }
    CHECK(executor.stats().started_workers > 1);
    CHECK(executor.stats().crashed_workers == 0);
}

asio::awaitable<void> takes_much_and_frees_it() {
    const coproc::leak_options leaks{.period = always, .max_growth = 20 * mb};
    co_await one_worker(leaks, take_and_free, 50 * mb);
}

asio::awaitable<void> takes_much_before_a_timer() {
    const coproc::leak_options leaks{
        .period = 1ms, .max_growth = 20 * mb, .hard = std::size_t{1} << 40};
    co_await one_worker(leaks, take_and_free, 50 * mb);
}

asio::awaitable<void> shares_much() {
    const std::size_t fresh = co_await memory_of_fresh_worker();
    const coproc::leak_options leaks{
        .period = 1ms, .max_growth = 20 * mb, .hard = fresh + 100 * mb};
    co_await one_worker(leaks, share, 3 * mb);
}

asio::awaitable<void> gives_back() {
    const coproc::leak_options leaks{.period = always, .max_growth = 30 * mb};
    co_await one_worker(leaks, fill_cache, 3 * mb);
}

asio::awaitable<void> hook_that_hangs() {
    const auto loop = co_await asio::this_coro::executor;
    const coproc::leak_options leaks{.period = always, .max_growth = 40 * mb};
    coproc::executor executor(loop, {.max_workers = 1, .leak = leaks, .exit_timeout = 100ms});
    const auto first = co_await executor.submit(hang_when_cleaning);
    std::vector<coproc::job<state_of_worker>> jobs;
    for (int i = 0; i < 20; ++i) {
        jobs.push_back(executor.submit(leak, 3 * mb));
    }
    std::set<int> pids;
    for (auto& job : jobs) {
        const auto got = co_await std::move(job);
        REQUIRE(got.has_value());
        pids.insert(got.value().pid);
    }
    CHECK(pids.size() == 2);
    CHECK(pids.count(first.value()) == 1);
    CHECK(executor.stats().crashed_workers == 0);
}

/// A worker that leaks works until its successor is ready, however long that takes.
asio::awaitable<void> no_dip() {
    const auto loop = co_await asio::this_coro::executor;
    test::meeting meeting(loop);
    const coproc::leak_options leaks{.period = always, .max_growth = 20 * mb};
    coproc::executor executor(
        loop,
        {.max_workers = 1, .initializers = {call(begin_when_let, meeting.name())}, .leak = leaks});
    auto first = executor.submit(look);
    auto one = co_await meeting.arrival();
    one.close();
    const auto began = co_await std::move(first);
    while (executor.stats().started_workers == 1) {
        const auto got = co_await executor.submit(leak, 3 * mb);
        REQUIRE(got.value().pid == began.value().pid);
    }
    auto successor = co_await meeting.arrival();
    for (int i = 0; i < 20; ++i) {
        const auto got = co_await executor.submit(leak, 3 * mb);
        REQUIRE(got.value().pid == began.value().pid);
    }
    CHECK(executor.stats().started_workers == 2);
    successor.close();
    const auto ready = co_await executor.async_start(1);
    CHECK(ready.has_value());
    const auto next = co_await executor.submit(look);
    CHECK(next.value().pid != began.value().pid);
    CHECK(executor.stats().crashed_workers == 0);
    executor.stop();
}

coproc::leak_options hard_limit(std::size_t bytes) {
    return {.period = 5ms, .max_growth = coproc::no_bound, .hard = bytes};
}

asio::awaitable<void> exceeds() {
    const std::size_t fresh = co_await memory_of_fresh_worker();
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .leak = hard_limit(fresh + 100 * mb)});
    const auto below = co_await executor.submit(leak, 50 * mb);
    CHECK(below.has_value());
    auto bad = executor.submit(take_and_hang, 300 * mb);
    auto behind = executor.submit(look);
    const auto got = co_await std::move(bad);
    REQUIRE(got.has_error());
    INFO(got.error().message());
    CHECK(got.error() == errc::out_of_memory);
    CHECK(got.error().certainty() == certainty::may_have_run);
    CHECK(got.error().out_of_memory() == memory_shortage::certain);
    const auto worker = got.error().worker();
    REQUIRE(worker);
    CHECK(worker->pid == below.value().pid);
    CHECK(worker->signal == SIGKILL);
    CHECK(worker->out_of_memory == memory_shortage::certain);
    CHECK_THAT(got.error().message(), test::contains_text("take_and_hang"));
    CHECK_THAT(got.error().message(),
               test::contains_text("ran out of memory and was killed by SIGKILL: it had "));
    CHECK_THAT(got.error().message(),
               test::contains_text(" MB, and executor_options::leak.hard is "));
    const auto after = co_await std::move(behind);
    REQUIRE(after.has_value());
    CHECK(after.value().pid != worker->pid);
    CHECK(executor.stats().crashed_workers == 0);
}

asio::awaitable<void> exceeds_in_chunk() {
    const std::size_t fresh = co_await memory_of_fresh_worker();
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .leak = hard_limit(fresh + 100 * mb)});
    std::vector<int> numbers(20);
    std::iota(numbers.begin(), numbers.end(), 0);
    const coproc::map_options options{.chunk_size = 10};
    auto stream = executor.map(options, take_much_if_7, numbers);
    for (int n = 0; n < 20; ++n) {
        const auto got = co_await stream.async_next();
        REQUIRE(got.has_value());
        INFO(n);
        if (n == 7) {
            CHECK(got->error() == errc::out_of_memory);
            CHECK(got->error().certainty() == certainty::may_have_run);
        } else if (got->has_value()) {
            CHECK(got->value() == n);
        } else { // its result was on its way
            CHECK(n < 7);
            CHECK(got->error() == errc::out_of_memory);
            CHECK(got->error().certainty() == certainty::ran);
        }
    }
}

asio::awaitable<void> exceeds_again() {
    const std::size_t fresh = co_await memory_of_fresh_worker();
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .leak = hard_limit(fresh + 100 * mb)});
    const auto got = co_await executor.submit({.retries = 2}, take_and_hang, 300 * mb);
    CHECK(got.error() == errc::out_of_memory);
    CHECK_THAT(got.error().message(), test::contains_text("2 workers had died in it"));
    CHECK(executor.stats().started_workers == 3);
}

asio::awaitable<void> exceeds_in_initializer() {
    const std::size_t fresh = co_await memory_of_fresh_worker();
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1,
                                     .initializers = {call(take_and_hang, 300 * mb)},
                                     .leak = hard_limit(fresh + 100 * mb),
                                     .max_failed_starts = 2});
    const auto got = co_await executor.submit(look);
    REQUIRE(got.has_error());
    INFO(got.error().message());
    CHECK(got.error() == errc::initializer_failed);
    CHECK_THAT(got.error().message(), test::contains_text("initializer 1 of 1"));
    CHECK_THAT(got.error().message(), test::contains_text("executor_options::leak.hard is "));
}

std::atomic<bool> hook_called{false};

asio::awaitable<void> leaks_in_thread() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1,
                                     .start = coproc::start_method::in_process,
                                     .leak = {.period = always, .max_growth = mb}});
    const auto hooked = co_await executor.submit(
        [] { coproc::this_worker::on_cleanup([] { hook_called = true; }); });
    CHECK(hooked.has_value());
    for (int i = 0; i < 10; ++i) {
        const auto grown = co_await executor.submit(leak, 3 * mb);
        CHECK(grown.value().pid == ::getpid());
    }
    CHECK_FALSE(hook_called);
    kept.clear();
}

void check_refused(coproc::executor_options options, const std::string& field) {
    asio::io_context loop;
    CHECK_THROWS_WITH(coproc::executor(loop, options),
                      test::contains_text("executor_options::leak." + field + " must be "));
}

} // namespace

TEST_CASE("300 tasks leak 3 MB each on one worker, and nothing is lost", "[leak][process]") {
    test::run(many_that_leak());
}
TEST_CASE("300 tasks leak 3 MB each, and no worker grows much more than it may",
          "[leak][process]") {
    test::run(bounded_by_growth());
}
TEST_CASE("a worker may be bounded whatever it had after its first task", "[leak][process]") {
    test::run(bounded_absolutely());
}
TEST_CASE("a worker that takes much and frees it is never replaced", "[leak][process]") {
    test::run(takes_much_and_frees_it());
    test::run(takes_much_before_a_timer());
}
TEST_CASE("shared memory is never taken for a leak", "[leak][process]") {
    test::run(shares_much());
}
TEST_CASE("a hook that gives memory back saves its worker", "[leak][process]") {
    test::run(gives_back());
}
TEST_CASE("a hook that hangs costs its worker, and no task", "[leak][process]") {
    test::run(hook_that_hangs());
}
TEST_CASE("tasks that were given up count as others do", "[leak][process]") {
    test::run(leaks_of_given_up_tasks());
}
TEST_CASE("a worker that leaks works until its successor is ready", "[leak][process]") {
    test::run(no_dip());
}
TEST_CASE("a task that exceeds the hard limit is killed, with the figures", "[leak][process]") {
    test::run(exceeds());
}
TEST_CASE("an element of a chunk that exceeds the hard limit costs itself", "[leak][process]") {
    test::run(exceeds_in_chunk());
}
TEST_CASE("a task that exceeds the hard limit is run again as often as it may", "[leak][process]") {
    test::run(exceeds_again());
}
TEST_CASE("an initializer that exceeds the hard limit is told", "[leak][process]") {
    test::run(exceeds_in_initializer());
}
TEST_CASE("limits of memory are checked", "[leak]") {
    check_refused({.leak = {.period = 0s}}, "period");
    check_refused({.leak = {.max_growth = 999'999}}, "max_growth");
    check_refused({.leak = {.absolute = 0}}, "absolute");
    check_refused({.leak = {.hard = 1}}, "hard");
}
TEST_CASE("hooks for cleaning up are not called in threads", "[leak]") {
    test::run(leaks_in_thread());
    CHECK_THROWS_AS(coproc::this_worker::on_cleanup([] {}), std::logic_error);
}
