#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/matchers.hpp"
#include "support/meeting.hpp"

#include <coproc/coproc.hpp>
#include <coproc/map.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <list>
#include <memory>
#include <numeric>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <thread>

// Functions called with the elements of ranges.

namespace {

using coproc::certainty;
using coproc::errc;
using namespace std::chrono_literals;

int same(int n) { return n; }
int add(int a, int b) { return a + b; }
void nothing(int) {}
bool odd(int n) { return n % 2 != 0; }
std::size_t length(std::string_view text) { return text.size(); }

/// Meets the test, and stays until it is let go; not for an empty name.
int meet(const std::string& name, int n) {
    if (!name.empty()) {
        test::visit(name).await_leave();
    }
    return n;
}

/// Negative numbers are refused.
int root(int n) {
    if (n < 0) {
        throw std::domain_error("negative");
    }
    int r = 0;
    while (r * r < n) {
        ++r;
    }
    return r;
}

int crash_at(int n) {
    if (n == 3) {
        std::abort();
    }
    return n;
}

std::string task_name(int) { return std::string(coproc::this_task::name()); }

/// Numbers without end, which counts how many of them were asked for.
auto endless(int& count) {
    return std::views::iota(0) | std::views::transform([&count](int n) {
               ++count;
               return n;
           });
}

/// The first `good` numbers, then an exception.
auto broken_after(int good) {
    return std::views::iota(0) | std::views::transform([good](int n) {
               if (n == good) {
                   throw std::out_of_range("the range is broken");
               }
               return n;
           });
}

asio::awaitable<void> as_serial() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    std::vector<int> serial(100);
    for (int i = 0; i < 100; ++i) {
        serial[static_cast<std::size_t>(i)] = root(i);
    }
    int next = 0;
    auto roots = executor.map(root, std::views::iota(0, 100));
    while (auto e = co_await roots.async_next()) {
        CHECK(e->index == static_cast<std::size_t>(next));
        CHECK(e->value() == serial[static_cast<std::size_t>(next++)]);
    }
    CHECK(next == 100);
    CHECK(roots.ended());
    const auto after = co_await roots.async_next();
    CHECK_FALSE(after);

    // Several ranges are zipped; the shortest ends them. Of every kind.
    const std::list<int> tens{10, 20, 30, 40, 50, 60};
    std::vector<int> ones{1, 2, 3, 4, 5};
    std::vector<int> sums;
    auto zipped = executor.map(add, tens, std::move(ones));
    while (auto e = co_await zipped.async_next()) {
        sums.push_back(e->value());
    }
    CHECK((sums == std::vector<int>{11, 22, 33, 44, 55}));
    std::istringstream text("3 4 5");
    auto squares = executor.map(add, std::views::istream<int>(text), std::views::iota(1));
    auto all = co_await squares.async_collect();
    CHECK((all.value() == std::vector<int>{4, 6, 8}));
    const std::vector<std::string> words{"a", "", "ccc"};
    auto lengths = co_await executor.map(length, words).async_collect();
    CHECK((lengths.value() == std::vector<std::size_t>{1, 0, 3}));
    const std::vector<int> empty;
    auto none = executor.map(root, empty);
    const auto end = co_await none.async_next();
    CHECK_FALSE(end);
    CHECK(none.ended());
}

asio::awaitable<void> constant_memory(bool ordered) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    int pulled = 0;
    auto numbers = executor.map({.in_flight = 7, .ordered = ordered}, same, endless(pulled));
    CHECK(pulled == 0);
    for (int taken = 1; taken <= 3000; ++taken) {
        const auto e = co_await numbers.async_next();
        REQUIRE(e);
        REQUIRE(e->has_value());
        REQUIRE(e->value() == static_cast<int>(e->index));
        REQUIRE((!ordered || e->value() == taken - 1));
        REQUIRE(pulled <= taken - 1 + 7);
        const auto stats = executor.stats();
        REQUIRE(stats.queued + stats.staged <= 7);
    }
    CHECK(executor.stats().submitted == static_cast<std::uint64_t>(pulled));
}

asio::awaitable<void> lazy() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 3});
    int pulled = 0;
    auto numbers = executor.map(same, endless(pulled));
    CHECK(pulled == 0);
    auto next = numbers.async_next(); // the range is advanced here
    CHECK(pulled == 6);               // twice the workers
    while (executor.stats().completed < 6) {
        co_await executor.submit(same, 1);
    }
    co_await test::turn();
    CHECK(pulled == 6); // only the reader advances it
    const auto e = co_await std::move(next);
    CHECK(e->value() == 0);
    CHECK(pulled == 6);
    const auto f = co_await numbers.async_next();
    CHECK(f->value() == 1);
    CHECK(pulled == 7);

    coproc::executor narrow(loop, {.max_workers = 3, .max_queued = 2});
    pulled = 0;
    auto few = narrow.map(same, endless(pulled));
    const auto first = co_await few.async_next();
    CHECK(pulled == 2); // no more than the queue takes
    CHECK(first->value() == 0);
}

asio::awaitable<void> orders() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    for (const bool ordered : {true, false}) {
        test::meeting meeting(loop);
        const std::vector<std::string> names{meeting.name(), "", "", ""};
        auto s =
            executor.map({.in_flight = 4, .ordered = ordered}, meet, names, std::views::iota(0));
        std::vector<std::size_t> seen;
        auto first = s.async_next();
        auto other = co_await meeting.arrival();
        if (ordered) {
            while (executor.stats().completed < 3) { // they are done, and wait for the first
                co_await test::turn();
            }
            other.close();
        }
        auto e = co_await std::move(first);
        for (; e; e = co_await s.async_next()) {
            seen.push_back(e->index);
            CHECK(e->value() == static_cast<int>(e->index));
            if (seen.size() == 3) {
                other.close();
            }
        }
        REQUIRE(seen.size() == 4);
        CHECK(seen.back() == (ordered ? 3U : 0U));
        CHECK((!ordered || seen == std::vector<std::size_t>{0, 1, 2, 3}));
    }
}

asio::awaitable<void> failing_elements() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    const std::vector<int> numbers{4, -1, 9};
    auto s = executor.map(root, numbers);
    const auto first = co_await s.async_next();
    CHECK(first->value() == 2);
    const auto second = co_await s.async_next();
    CHECK(second->error() == errc::task_threw);
    CHECK(second->index == 1);
    CHECK_THROWS_AS(second->value(), std::domain_error);
    const auto third = co_await s.async_next();
    CHECK(third->value() == 3);
    const auto end = co_await s.async_next();
    CHECK_FALSE(end);
}

asio::awaitable<void> timeouts() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 3});
    test::meeting meeting(loop);
    const std::vector<std::string> names{"", "", meeting.name()};
    std::vector<int> values;
    // Time begins with the submit, so it is for the worker to arrive first.
    auto s = executor.map({.in_flight = 3, .task = {.run_timeout = 300ms, .grace = 0ms}}, meet,
                          names, std::views::iota(0));
    auto next = co_await s.async_next();
    for (; next && next->has_value(); next = co_await s.async_next()) {
        values.push_back(next->value());
    }
    CHECK((values == std::vector<int>{0, 1}));
    REQUIRE(next);
    CHECK(next->index == 2);
    CHECK(next->error() == errc::timed_out);
}

asio::awaitable<void> crashes() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    auto s = executor.map(crash_at, std::views::iota(0, 6));
    int seen = 0;
    while (auto e = co_await s.async_next()) {
        if (seen == 3) {
            CHECK(e->error() == errc::worker_terminated);
            CHECK(e->error().certainty() == certainty::may_have_run);
        } else {
            CHECK(e->value() == seen);
        }
        ++seen;
    }
    CHECK(seen == 6);
}

/// Converts to a number, most of the time.
struct reluctant {
    int number;
    operator int() const { // NOLINT(google-explicit-constructor)
        if (number == 2) {
            throw std::range_error("no number");
        }
        return number;
    }
};

asio::awaitable<void> broken_ranges() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    for (const std::size_t in_flight : {1U, 2U, 100U}) {
        auto s = executor.map({.in_flight = in_flight}, same, broken_after(2));
        std::string what;
        int taken = 0;
        try {
            while (auto e = co_await s.async_next()) {
                CHECK(e->value() == taken++);
            }
        } catch (const std::out_of_range& error) {
            what = error.what();
        }
        CHECK(what == "the range is broken");
        CHECK(taken == (in_flight == 1 ? 2 : in_flight == 2 ? 1 : 0));
        CHECK(s.ended());
        const auto end = co_await s.async_next();
        CHECK_FALSE(end);
    }
    const std::vector<reluctant> numbers{{1}, {2}, {3}};
    auto s = executor.map({.in_flight = 1}, same, numbers);
    const auto first = co_await s.async_next();
    CHECK(first->value() == 1);
    CHECK_THROWS_AS(s.async_next(), std::range_error);
    CHECK(s.ended());

    // async_collect has one way for everything: the failure, whose value throws the range's own.
    const auto all = co_await executor.map(same, broken_after(50)).async_collect();
    REQUIRE(all.has_error());
    CHECK(all.error() == errc::encode_failed);
    CHECK(all.error().certainty() == certainty::not_started);
    CHECK_THROWS_AS(all.value(), std::out_of_range);
    CHECK_THAT(all.error().message(),
               test::contains_text("the range, or the conversion of one of its elements, threw "
                                   "std::out_of_range: the range is broken"));
    const auto last = co_await executor.submit(same, 7);
    CHECK(last.value() == 7);
}

/// What was submitted before the range threw, and has not begun, never runs.
asio::awaitable<void> broken_range_cancels() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    test::meeting never(loop);
    auto running = executor.submit(meet, meeting.name(), 1);
    auto other = co_await meeting.arrival();
    auto names = std::views::iota(0) | std::views::transform([&](int n) {
                     return n < 3 ? never.name() : throw std::out_of_range("broken");
                 });
    auto s = executor.map({.in_flight = 10}, meet, names, std::views::iota(0));
    CHECK_THROWS_AS(s.async_next(), std::out_of_range);
    CHECK(executor.stats().completed == 3); // all three are withdrawn
    other.close();
    const auto got = co_await std::move(running);
    CHECK(got.value() == 1);
}

asio::awaitable<void> dropping() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    test::meeting never(loop);
    const auto source = std::make_shared<int>(0);
    {
        const std::vector<std::string> names{meeting.name(), never.name(), never.name()};
        auto s = executor.map({.in_flight = 3}, meet, names,
                              std::views::iota(0) |
                                  std::views::transform([source](int n) { return n + *source; }));
        CHECK(source.use_count() > 1);
        auto pending = s.async_next();
        auto other = co_await meeting.arrival();
        CHECK(executor.stats().queued + executor.stats().staged == 3);
        { auto dropped = std::move(s); }
        CHECK(source.use_count() == 1); // the range is gone with the stream
        CHECK(executor.stats().completed == 2);
        const auto nobody = co_await std::move(pending);
        CHECK_FALSE(nobody);
        other.close(); // what runs is left to finish
    }
    const auto last = co_await executor.submit(same, 3);
    CHECK(last.value() == 3);
    CHECK(executor.stats().completed == 4);
    CHECK(executor.stats().started_workers == 1);
}

asio::awaitable<void> cancelling() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    auto names = std::views::iota(0) | std::views::transform([&](int n) {
                     return n == 0 ? meeting.name() : std::string();
                 });
    int pulled = 0;
    auto s = executor.map({.in_flight = 3}, meet, names, endless(pulled));
    auto pending = s.async_next();
    auto other = co_await meeting.arrival();
    s.cancel(asio::cancellation_type::total);
    CHECK_FALSE(s.ended());
    other.close();
    const auto first = co_await std::move(pending);
    CHECK(first->value() == 0); // it ran
    for (std::size_t i = 1; i < 3; ++i) {
        const auto e = co_await s.async_next();
        REQUIRE(e);
        CHECK(e->index == i);
        CHECK(e->error() == errc::cancelled);
        CHECK(e->error().certainty() == certainty::not_started);
    }
    const auto end = co_await s.async_next();
    CHECK_FALSE(end);
    CHECK(s.ended());
    CHECK(pulled == 3);
}

/// A wait that is given up loses nothing.
asio::awaitable<void> giving_up() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    const std::vector<std::string> names{meeting.name(), ""};
    auto s = executor.map(meet, names, std::views::iota(0));
    for (const auto type : {asio::cancellation_type::total, asio::cancellation_type::partial,
                            asio::cancellation_type::terminal}) {
        asio::cancellation_signal signal;
        int called = 0;
        s.async_next(asio::bind_cancellation_slot(
            signal.slot(), [&](std::optional<coproc::element<int>> e) { // NOLINT
                CHECK_FALSE(e);
                ++called;
            }));
        signal.emit(type);
        CHECK(called == 0); // never from inside
        while (called == 0) {
            co_await test::turn();
        }
        CHECK_FALSE(s.ended());
    }
    auto other = co_await meeting.arrival();
    other.close();
    const auto first = co_await s.async_next();
    CHECK(first->value() == 0);
    const auto second = co_await s.async_next();
    CHECK(second->value() == 1);
    const auto end = co_await s.async_next();
    CHECK_FALSE(end);
}

asio::awaitable<void> collecting() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    for (const bool ordered : {true, false}) {
        auto s = executor.map({.in_flight = 5, .ordered = ordered}, same, std::views::iota(0, 500));
        const auto first = co_await s.async_next();
        const auto all = co_await s.async_collect();
        REQUIRE(all.has_value());
        CHECK(all.value().size() == 499);
        CHECK(std::is_sorted(all.value().begin(), all.value().end()));
        CHECK(std::accumulate(all.value().begin(), all.value().end(), first->value()) ==
              499 * 500 / 2);
        CHECK(s.ended());
    }
    const auto flags = co_await executor.map(odd, std::views::iota(0, 5)).async_collect();
    CHECK((flags.value() == std::vector<bool>{false, true, false, true, false}));
    const auto done = co_await executor.map(nothing, std::views::iota(0, 5)).async_collect();
    static_assert(std::is_same_v<decltype(done), const coproc::result<void>>);
    CHECK(done.has_value());
    const std::vector<int> empty;
    const auto none = co_await executor.map(same, empty).async_collect();
    CHECK(none.value().empty());
}

/// The first failure in time is the result, though an earlier element still runs.
asio::awaitable<void> first_failure() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    test::meeting slow(loop);
    test::meeting failing(loop);
    const auto task = [](const std::string& name, int n) {
        meet(name, n);
        return n == 1 ? throw std::domain_error("one") : n;
    };
    int pulled = 0;
    auto names = std::views::iota(0) | std::views::transform([&](int n) {
                     return n == 0 ? slow.name() : failing.name();
                 });
    auto s = executor.map({.in_flight = 2}, task, names, endless(pulled));
    std::optional<coproc::result<std::vector<int>>> got;
    s.async_collect([&](coproc::result<std::vector<int>> r) { got = std::move(r); });
    auto other = co_await slow.arrival();
    auto thrower = co_await failing.arrival();
    thrower.close();
    while (!got) {
        co_await test::turn();
    }
    const auto& all = *got;
    REQUIRE(all.has_error());
    CHECK(all.error() == errc::task_threw);
    CHECK_THROWS_AS(all.value(), std::domain_error);
    CHECK(pulled == 2);
    CHECK(s.ended());
    other.close();
    const auto last = co_await executor.submit(same, 1);
    CHECK(last.value() == 1);
    CHECK(executor.stats().started_workers == 2); // none was killed
}

asio::awaitable<void> cancelled_collection() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    for (const auto type : {asio::cancellation_type::total, asio::cancellation_type::terminal}) {
        test::meeting meeting(loop);
        auto names =
            std::views::iota(0) | std::views::transform([&](int) { return meeting.name(); });
        asio::cancellation_signal signal;
        std::optional<coproc::result<std::vector<int>>> got;
        int pulled = 0;
        executor
            .map({.in_flight = 3, .task = {.grace = coproc::no_limit}}, meet, names,
                 endless(pulled))
            .async_collect(asio::bind_cancellation_slot(
                signal.slot(), [&](coproc::result<std::vector<int>> r) { got = std::move(r); }));
        // The stream is gone, and the collection goes on.
        auto other = co_await meeting.arrival();
        CHECK(pulled == 3);
        signal.emit(type);
        CHECK_FALSE(got);
        if (type == asio::cancellation_type::total) {
            co_await test::turn(); // the task that runs is left alone
            other.close();
        }
        while (!got) {
            co_await test::turn();
        }
        REQUIRE(got->has_error());
        CHECK(got->error() == errc::cancelled);
        CHECK(pulled == 3);
        other.close();
        const auto next = co_await executor.submit(same, 2);
        CHECK(next.value() == 2);
    }
    CHECK(executor.stats().started_workers == 1);
}

asio::awaitable<void> shutdown_race() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 3});
    auto s = executor.map({.in_flight = 4}, same, std::views::iota(0, 9));
    auto next = s.async_next();
    const auto report = co_await executor.async_shutdown({}, asio::use_awaitable);
    CHECK(report.cancelled == 0);
    std::size_t values = 0;
    std::size_t refused = 0;
    auto e = co_await std::move(next);
    for (; e; e = co_await s.async_next()) {
        values += e->has_value();
        refused += e->has_error() && e->error() == errc::executor_shutdown;
    }
    CHECK(values == 4);
    CHECK(refused == 5);
}

asio::awaitable<void> stopped() {
    const auto loop = co_await asio::this_coro::executor;
    auto executor =
        std::make_unique<coproc::executor>(loop, coproc::executor_options{.max_workers = 1});
    test::meeting meeting(loop);
    const std::vector<std::string> names{meeting.name(), "", ""};
    auto s = executor->map(meet, names, std::views::iota(0));
    auto next = s.async_next();
    auto other = co_await meeting.arrival();
    executor.reset();
    std::size_t refused = 0;
    auto e = co_await std::move(next);
    for (; e; e = co_await s.async_next()) {
        CHECK(e->error() == errc::executor_shutdown);
        ++refused;
    }
    CHECK(refused == 3);
}

asio::awaitable<void> names() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    std::optional<coproc::stream<std::string>> s;
    {
        const std::string name = "a name that is gone when the range is advanced";
        s.emplace(executor.map({.in_flight = 1, .task = {.name = name}}, task_name,
                               std::views::iota(0, 3)));
    }
    while (auto e = co_await s->async_next()) {
        CHECK(e->value() == "a name that is gone when the range is advanced");
    }
    CHECK_THROWS_WITH(
        executor.map({.chunk_size = static_cast<std::size_t>(-1)}, same, std::views::iota(0)),
        test::contains_text("map_options::chunk_size"));
    CHECK_THROWS_AS(
        executor.map({.in_flight = static_cast<std::size_t>(-1)}, same, std::views::iota(0)),
        std::invalid_argument);
    coproc::executor narrow(loop, {.max_workers = 1, .max_queued = 4});
    CHECK_THROWS_WITH(narrow.map({.in_flight = 5}, same, std::views::iota(0)),
                      test::contains_text("map_options::in_flight must be at most "
                                          "executor_options::max_queued, which is 4"));
}

// What cannot be mapped is no candidate.
template <class F, class... Ranges>
concept can_map = requires(coproc::executor& e, F f, Ranges... ranges) {
    e.map(f, std::forward<Ranges>(ranges)...);
};
static_assert(can_map<int (*)(int), std::vector<int>&>);
static_assert(can_map<int (*)(int), const std::vector<short>&>);
static_assert(can_map<int (*)(int, int), std::vector<int>, std::list<int>>);
static_assert(!can_map<int (*)(int), std::vector<int>&, std::vector<int>&>);
static_assert(!can_map<int (*)(int), int>);
static_assert(!can_map<int (*)(int)>);
static_assert(!can_map<std::unique_ptr<int> (*)(int), std::vector<int>&>);
static_assert(!can_map<int (*)(int&), std::vector<int>&>);
static_assert(coproc::mappable<int (*)(int), std::vector<int>&>);
static_assert(!coproc::mappable<int (*)(int*), std::vector<int*>&>);

} // namespace

TEST_CASE("test_map: a map is as a serial one, of several ranges, too", "[map]") {
    test::run(as_serial());
}
TEST_CASE("a map of an endless range holds no more than in_flight tasks", "[map]") {
    test::run(constant_memory(true));
    test::run(constant_memory(false));
}
TEST_CASE("a range is advanced only where its stream is read", "[map]") { test::run(lazy()); }
TEST_CASE("elements come in order, or as they are completed", "[map]") { test::run(orders()); }
TEST_CASE("test_map_exception: an element that fails has its failure, and the stream goes on",
          "[map]") {
    test::run(failing_elements());
}
TEST_CASE("test_map_timeout: the elements before the one that times out are there",
          "[process][map]") {
    test::run(timeouts());
}
TEST_CASE("an element that crashes its worker costs itself", "[process][map]") {
    test::run(crashes());
}
TEST_CASE("test_imap_handle_iterable_exception: what a range throws reaches the reader", "[map]") {
    test::run(broken_ranges());
}
TEST_CASE("when a range throws, what it gave before and has not begun never runs", "[map]") {
    test::run(broken_range_cancels());
}
TEST_CASE("a dropped stream withdraws what has not begun, and lets go of its ranges", "[map]") {
    test::run(dropping());
}
TEST_CASE("a cancelled stream gives what was on its way, and ends", "[map]") {
    test::run(cancelling());
}
TEST_CASE("the cancelled wait for an element loses nothing", "[map]") { test::run(giving_up()); }
TEST_CASE("a collection has all values in the order of the range", "[map]") {
    test::run(collecting());
}
TEST_CASE("the first failure ends a collection, at once", "[process][map]") {
    test::run(first_failure());
}
TEST_CASE("cancelling a collection cancels its tasks", "[process][map]") {
    test::run(cancelled_collection());
}
TEST_CASE("test_shutdown_race_issue12456: a shutdown right after a map blocks nobody", "[map]") {
    test::run(shutdown_race());
}
TEST_CASE("test_shutdown_kill: each element of a stopped executor says so", "[process][map]") {
    test::run(stopped());
}
TEST_CASE("a map copies its name, and refuses wrong options by theirs", "[map]") {
    test::run(names());
}

TEST_CASE("a script reads a stream without a loop", "[map]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 2});
    auto s = executor.map({.in_flight = 3}, root, std::views::iota(0, 20));
    int seen = 0;
    while (auto e = s.next()) {
        CHECK(e->value() == root(seen++));
    }
    CHECK(seen == 20);
    CHECK(executor.map(same, std::views::iota(0, 300)).get().value().size() == 300);
    const auto broken = executor.map(same, broken_after(3)).get();
    CHECK_THROWS_AS(broken.value(), std::out_of_range);
    auto throwing = executor.map(same, broken_after(0));
    CHECK_THROWS_AS(throwing.next(), std::out_of_range);
    auto future = executor.map(same, std::views::iota(0, 9)).async_collect(asio::use_future);
    CHECK(future.get().value().size() == 9);
}

TEST_CASE("blocking on a loop for a stream of that loop is refused", "[map]") {
    test::run([]() -> asio::awaitable<void> {
        const auto loop = co_await asio::this_coro::executor;
        coproc::executor executor(loop, {.max_workers = 1});
        auto s = executor.map(same, std::views::iota(0, 3));
        std::error_code code;
        try {
            static_cast<void>(s.next());
        } catch (const coproc::failed& error) {
            code = error.code();
        }
        CHECK(code == errc::would_deadlock);
        const auto first = co_await s.async_next(); // nothing is lost
        CHECK(first->value() == 0);
        const auto all = executor.map(same, std::views::iota(0, 3)).get();
        CHECK(all.error() == errc::would_deadlock);
    }());
}

TEST_CASE("a collection goes on where its handler runs, and reads the range there", "[map]") {
    asio::io_context loop;
    asio::thread_pool threads(2);
    coproc::executor executor(loop, {.max_workers = 2});
    auto strand = asio::make_strand(threads);
    int outside = 0;
    auto numbers = std::views::iota(0, 50) | std::views::transform([&](int n) {
                       outside += !strand.running_in_this_thread();
                       return n;
                   });
    std::size_t collected = 0;
    executor.map({.in_flight = 4}, same, numbers)
        .async_collect(asio::bind_executor(strand, [&](coproc::result<std::vector<int>> all) {
            outside += !strand.running_in_this_thread();
            collected = all.value().size(); // Catch's checks belong to one thread
        }));
    test::run(loop); // it has work until the end
    threads.join();
    CHECK(collected == 50);
    CHECK(outside == 0);
}

TEST_CASE("test_thread_safety: many threads map, submit and cancel on one executor", "[map]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 2});
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 10; ++t) {
        threads.emplace_back([&, t] {
            for (int round = 0; round < 5; ++round) {
                const auto all =
                    executor.map({.in_flight = 3}, same, std::views::iota(0, 20)).get();
                wrong += !all || all.value().size() != 20 || all.value()[19] != 19;
                auto job = executor.submit(same, t);
                auto other = executor.submit(same, round);
                other.cancel();
                const auto cancelled = std::move(other).get();
                wrong += cancelled.has_error() ? cancelled.error() != errc::cancelled
                                               : cancelled.value() != round;
                auto cut = executor.map(same, std::views::iota(0));
                wrong += cut.next()->index != 0;
                cut.cancel();
                while (auto e = cut.next()) {
                    wrong += e->has_error() ? e->error() != errc::cancelled
                                            : e->value() != static_cast<int>(e->index);
                }
                wrong += std::move(job).get().value() != t;
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    CHECK(wrong == 0);
}

TEST_CASE("the end of a loop destroys the handler that waits for an element", "[map]") {
    const auto alive = std::make_shared<int>(0);
    bool called = false;
    for (const bool collect : {false, true}) {
        asio::io_context loop;
        coproc::executor executor(loop, {.max_workers = 1});
        auto s = std::make_shared<coproc::stream<int>>(executor.map(same, std::views::iota(0)));
        if (collect) {
            s->async_collect(
                [&called, alive, s](coproc::result<std::vector<int>>) { called = true; });
        } else {
            s->async_next(
                [&called, alive, s](std::optional<coproc::element<int>>) { called = true; });
        }
        loop.run_for(collect ? 1ms : 0ms);
    }
    CHECK_FALSE(called);
    CHECK(alive.use_count() == 1);
}
