#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"

#include <coproc/coproc.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <future>
#include <optional>
#include <stop_token>
#include <thread>

// Cancellation and time-outs: what is asked for, at which moment, and what becomes of the task.

namespace {

using asio::cancellation_type;
using coproc::certainty;
using coproc::errc;
using namespace std::chrono_literals;

int same(int n) { return n; }

/// Until the test lets it go, whatever happens.
int stay(std::string name) {
    test::visit(name).await_leave();
    return 1;
}

/// Until it is asked to stop.
int ask(std::string name) {
    test::visit here(name);
    while (!coproc::this_task::stop_requested()) {
        std::this_thread::yield();
    }
    return 2;
}

int ask_token(std::stop_token stop, std::string name) {
    test::visit here(name);
    while (!stop.stop_requested()) {
        std::this_thread::yield();
    }
    return 3;
}

/// By a callback, which nothing in its arguments gives it.
int called_when_stopped(std::string name) {
    std::promise<int> called;
    const std::stop_callback callback(coproc::this_task::stop_token(),
                                      [&called] { called.set_value(3); });
    test::visit here(name);
    return called.get_future().get();
}

/// For ever.
int deaf(std::string name) {
    test::visit here(name);
    for (;;) {
        std::this_thread::yield();
    }
}

int process_number() { return ::getpid(); }

/// Whether there is a deadline, and it is the end of time.
bool never_ends(int) {
    return coproc::this_task::deadline() == std::chrono::steady_clock::time_point::max();
}

using task = int (*)(std::string);

const std::initializer_list<cancellation_type> all_types = {
    cancellation_type::total, cancellation_type::partial, cancellation_type::terminal};

asio::awaitable<void> longest_limits() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto longest = coproc::no_limit - coproc::duration(1);
    const auto run = co_await executor.submit({.run_timeout = longest}, never_ends, 0);
    CHECK(run.value());
    const auto all = co_await executor.submit({.timeout = longest}, same, 2);
    CHECK(all.value() == 2);
    const auto both =
        co_await executor.submit({.timeout = longest, .run_timeout = longest}, never_ends, 0);
    CHECK(both.value());
}

asio::awaitable<void> queued() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    for (const auto type : all_types) {
        test::meeting meeting(loop);
        auto running = executor.submit(stay, meeting.name());
        auto other = co_await meeting.arrival();
        // The first lies in the worker's pipe, the last ones in the queue.
        std::vector<coproc::job<int>> behind;
        for (int i = 0; i < 5; ++i) {
            behind.push_back(executor.submit(same, i));
        }
        for (auto& job : behind) {
            CHECK(job.state() == coproc::job_state::queued);
            job.cancel(type);
            CHECK(job.ready());
            const auto got = co_await std::move(job);
            REQUIRE(got.has_error());
            CHECK(got.error() == errc::cancelled);
            CHECK(got.error().certainty() == certainty::not_started);
            CHECK(got.error() == std::errc::operation_canceled);
        }
        other.close();
        const auto first = co_await std::move(running);
        CHECK(first.value() == 1);
    }
}

asio::awaitable<void> co_operative(task function, int expected) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto before = co_await executor.submit(process_number);
    {
        test::meeting meeting(loop);
        auto job = executor.submit({.grace = coproc::no_limit}, function, meeting.name());
        auto other = co_await meeting.arrival();
        CHECK(job.state() == coproc::job_state::running);
        job.cancel(cancellation_type::total);
        CHECK_FALSE(job.ready());
        job.cancel(cancellation_type::partial);
        const auto got = co_await std::move(job);
        CHECK(got.value() == expected);
    }
    test::meeting meeting(loop);
    auto job = executor.submit({.grace = coproc::no_limit}, function, meeting.name());
    auto other = co_await meeting.arrival();
    job.cancel();
    CHECK(job.ready());
    const auto got = co_await std::move(job);
    CHECK(got.error() == errc::cancelled);
    CHECK(got.error().certainty() == certainty::may_have_run);
    const auto after = co_await executor.submit(process_number);
    CHECK(after.value() == before.value()); // nobody was killed
}

asio::awaitable<void> token_parameter() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    for (const auto type : {cancellation_type::partial, cancellation_type::terminal}) {
        test::meeting meeting(loop);
        auto job = executor.submit({.grace = coproc::no_limit}, ask_token, meeting.name());
        auto other = co_await meeting.arrival();
        job.cancel(type);
        const auto got = co_await std::move(job);
        if (type == cancellation_type::partial) {
            CHECK(got.value() == 3);
        } else {
            CHECK(got.error() == errc::cancelled);
        }
        const auto next = co_await executor.submit(same, 4);
        CHECK(next.value() == 4);
    }
    CHECK(executor.stats().started_workers == 1);
}

asio::awaitable<void> token_on_demand() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    auto job = executor.submit(called_when_stopped, meeting.name());
    auto other = co_await meeting.arrival();
    job.cancel(cancellation_type::partial);
    const auto got = co_await std::move(job);
    CHECK(got.value() == 3);
    CHECK_FALSE(coproc::this_task::stop_token().stop_possible());
}

asio::awaitable<void> deaf_tasks() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    for (const auto grace : {coproc::duration(0), coproc::duration(10ms), coproc::duration(-1ms)}) {
        test::meeting meeting(loop);
        auto job = executor.submit({.grace = grace}, deaf, meeting.name());
        auto behind = executor.submit(same, 9);
        auto other = co_await meeting.arrival();
        job.cancel();
        CHECK(job.ready());
        const auto got = co_await std::move(job);
        CHECK(got.error() == errc::cancelled);
        CHECK(got.error().certainty() == certainty::may_have_run);
        const auto next = co_await std::move(behind);
        CHECK(next.value() == 9);
    }
    CHECK(executor.stats().started_workers == 4);
}

/// The three types through the operation's own slot.
void by_slot() {
    for (const auto type : all_types) {
        asio::io_context loop;
        coproc::executor executor(loop, {.max_workers = 1});
        test::meeting meeting(loop);
        auto running = executor.submit(stay, meeting.name());
        asio::cancellation_signal signal;
        std::optional<coproc::result<int>> got;
        executor.submit(same, 1)(
            asio::bind_cancellation_slot(signal.slot(), [&](coproc::result<int> r) { got = r; }));
        asio::co_spawn(
            loop,
            [&]() -> asio::awaitable<void> {
                auto other = co_await meeting.arrival();
                signal.emit(type);
                CHECK_FALSE(got); // never from inside
            },
            asio::detached);
        test::run(loop);
        REQUIRE(got);
        CHECK(got->error() == errc::cancelled);
        CHECK(running.ready());
    }
}

asio::awaitable<void> alternatives() {
    using namespace asio::experimental::awaitable_operators;
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    auto job = executor.submit({.grace = 0ms}, deaf, meeting.name());
    auto other = co_await meeting.arrival();
    asio::steady_timer timer(loop, 1ms);
    const auto first =
        co_await (std::move(job)(asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
    CHECK(first.index() == 1);
    timer.expires_at(asio::steady_timer::time_point::max());
    auto quick = executor.submit(same, 5);
    const auto second =
        co_await (std::move(quick)(asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
    REQUIRE(second.index() == 0);
    CHECK(std::get<0>(second).value() == 5);
}

asio::awaitable<void> dropping() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting first(loop);
    test::meeting never(loop);
    test::meeting detached(loop);
    auto running = executor.submit(stay, first.name());
    auto other = co_await first.arrival();
    { auto dropped = executor.submit(stay, never.name()); }
    {
        auto replaced = executor.submit(stay, never.name());
        replaced = executor.submit(same, 1);
    }
    executor.submit(stay, detached.name()).detach();
    { auto dropped_running = std::move(running); }
    other.close(); // it runs to its end, unseen
    auto seen = co_await detached.arrival();
    seen.close();
    const auto last = co_await executor.submit(same, 3);
    CHECK(last.value() == 3);
    CHECK(executor.stats().completed == 6);
    CHECK(executor.stats().started_workers == 1);
}

asio::awaitable<void> waiting() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    auto job = executor.submit(stay, meeting.name());
    auto other = co_await meeting.arrival();
    int ended = 0;
    asio::cancellation_signal signal;
    job.async_wait([&] { ended += 1; });
    job.async_wait(asio::bind_cancellation_slot(signal.slot(), [&] { ended += 10; }));
    job.async_wait([&] { ended += 100; });
    signal.emit(cancellation_type::terminal);
    CHECK(ended == 0);
    while (ended == 0) {
        co_await test::turn();
    }
    CHECK(ended == 10);
    CHECK_FALSE(job.ready());
    other.close();
    co_await job.async_wait(asio::use_awaitable);
    co_await job.async_wait(asio::use_awaitable);
    CHECK(ended == 111);
    CHECK(job.ready());
    const auto got = co_await std::move(job);
    CHECK(got.value() == 1);
}

struct begun_task {
    coproc::job<int> job;
    test::meeting_socket other;
};

/// A deaf task that has begun and will time out. A busy machine gets the time that it needs to
/// begin one.
asio::awaitable<begun_task> begin_deaf(coproc::executor& executor, test::meeting& meeting,
                                       bool whole) {
    using namespace asio::experimental::awaitable_operators;
    for (coproc::duration limit = 50ms;; limit *= 2) {
        REQUIRE(limit < test::patience);
        const coproc::task_options options{.timeout = whole ? limit : coproc::no_limit,
                                           .run_timeout = whole ? coproc::no_limit : limit,
                                           .grace = 0ms};
        auto job = executor.submit(options, deaf, meeting.name());
        auto first = co_await (meeting.arrival() || job.async_wait(asio::use_awaitable));
        if (first.index() == 0) {
            co_return begun_task{std::move(job), std::get<0>(std::move(first))};
        }
        const auto got = co_await std::move(job); // it may have arrived at the very end
        CHECK(got.error() == errc::timed_out);
    }
}

asio::awaitable<void> timeouts() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    for (const auto over : {coproc::duration(0), coproc::duration(-5s), coproc::duration::min()}) {
        const auto got = co_await executor.submit({.timeout = over}, same, 1);
        CHECK(got.error() == errc::timed_out);
        CHECK(got.error() == std::errc::timed_out);
        CHECK(got.error().certainty() == certainty::not_started);
        const auto run = co_await executor.submit({.run_timeout = over, .grace = 0ms}, same, 1);
        REQUIRE(run.has_error());
        CHECK(run.error() == errc::timed_out);
        CHECK(run.error().certainty() == certainty::not_started);
    }
    for (const bool whole : {true, false}) {
        test::meeting meeting(loop);
        auto [job, other] = co_await begin_deaf(executor, meeting, whole);
        auto behind = executor.submit({.timeout = 1ms}, same, 1);
        const auto waited = co_await std::move(behind);
        CHECK(waited.error() == errc::timed_out);
        CHECK(waited.error().certainty() == certainty::not_started);
        const auto got = co_await std::move(job);
        CHECK(got.error() == errc::timed_out);
        CHECK(got.error().certainty() == certainty::may_have_run);
    }
    const auto last = co_await executor.submit({.timeout = 1h, .run_timeout = 1h}, same, 6);
    CHECK(last.value() == 6);
}

} // namespace

TEST_CASE("the longest limits are no short ones", "[cancel]") { test::run(longest_limits()); }

TEST_CASE("what has not begun is withdrawn by each type of cancellation", "[cancel]") {
    test::run(queued());
}
TEST_CASE("a running task that asks is asked to stop", "[cancel]") {
    test::run(co_operative(ask, 2));
}
TEST_CASE("a running task stops by its token", "[cancel]") { test::run(token_parameter()); }
TEST_CASE("a running task may ask for its token", "[cancel]") { test::run(token_on_demand()); }
TEST_CASE("a running task that does not ask is killed after its grace", "[process][cancel]") {
    test::run(deaf_tasks());
}
TEST_CASE("a cancellation slot cancels the task, and calls nothing from inside", "[cancel]") {
    by_slot();
}
TEST_CASE("a job can be an alternative to a timer", "[process][cancel]") {
    test::run(alternatives());
}
TEST_CASE("a dropped job withdraws its task, a detached one lets it run", "[cancel]") {
    test::run(dropping());
}
TEST_CASE("a job can be waited for any number of times", "[cancel]") { test::run(waiting()); }
TEST_CASE("time-outs end tasks wherever they are", "[process][cancel]") { test::run(timeouts()); }

TEST_CASE("a task that comes while a cancelled one is still being written is written, too",
          "[cancel]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto first = executor.submit(same, 1);
    test::run(loop);
    auto large = executor.submit(
        +[](std::string text) { return text.size(); }, std::string(32 << 20, 'x'));
    std::optional<coproc::job<int>> second;
    large.async_wait([&] { // the rest of its bytes waits for room in the socket
        asio::post(loop, [&] { second.emplace(executor.submit(same, 2)); });
    });
    large.cancel();
    test::run(loop);
    REQUIRE(second);
    CHECK(std::move(*second).get().value() == 2);
}
