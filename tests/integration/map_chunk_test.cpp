#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/matchers.hpp"
#include "support/meeting.hpp"

#include <coproc/coproc.hpp>
#include <coproc/exception.hpp>
#include <coproc/map.hpp>
#include <coproc/progress.hpp>

#include <asio/steady_timer.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <thread>

#include <unistd.h>

// Several elements of a map in one task: each has its own result, whatever happens to the others.

namespace {

using coproc::certainty;
using coproc::errc;
using namespace std::chrono_literals;

int same(int n) { return n; }
int square(int n) { return n * n; }
int add(int a, int b) { return a + b; }
void nothing(int) {}
int twice_by_name(int n) { return 2 * n; }
COPROC_EXPORT(twice_by_name)
int sum_by_name(int a, int b) { return a + b; }
COPROC_EXPORT(sum_by_name)
std::uint64_t task_number(int) { return coproc::this_task::id(); }
std::string repeated(int n) { return std::string(static_cast<std::size_t>(n), 'x'); }
std::size_t length(std::string_view text) { return text.size(); }

/// Meets the test, and stays until it is let go; not for an empty name.
int meet(const std::string& name, int n) {
    if (!name.empty()) {
        test::visit(name).await_leave();
    }
    return n;
}

/// Without a name it works for so long that its result is sent before the next element begins.
int work_or_meet(const std::string& name, int n) {
    const auto end = std::chrono::steady_clock::now() + 2ms;
    while (name.empty() && std::chrono::steady_clock::now() < end) {
    }
    return meet(name, n);
}

int crash_at_threes(int n) {
    if (n % 10 == 3) {
        std::abort();
    }
    return n;
}

/// Negative numbers are refused, with a cause.
int root(int n) {
    try {
        if (n < 0) {
            throw std::domain_error("negative");
        }
    } catch (...) {
        std::throw_with_nested(std::runtime_error("no root"));
    }
    int r = 0;
    while ((r + 1) * (r + 1) <= n) {
        ++r;
    }
    return r;
}

struct scaled {
    int factor;
    int operator()(int n) {
        factor += 1; // of this call's copy
        return (factor - 1) * n;
    }
};

struct point {
    int x = 0;
    int y = 0;
    int sum(int more) const { return x + y + more; }
};

asio::awaitable<int> later(int n) {
    const auto loop = co_await asio::this_coro::executor;
    asio::steady_timer timer(loop, 1us);
    co_await timer.async_wait(asio::use_awaitable);
    if (n == 5) {
        throw std::out_of_range("five");
    }
    co_return n + 1;
}

bool with_token(std::stop_token token, int n) { return token.stop_possible() && n > 0; }

/// Whoever is asked to wait tells that it has begun, and ends when it is to stop.
int until_stopped(std::stop_token token, const std::string& name, int n) {
    if (!name.empty()) {
        test::visit here(name);
        while (!token.stop_requested()) {
            std::this_thread::yield();
        }
    }
    return n;
}

/// Numbers whose codec is not always willing.
struct shy {
    int number = 0;
};

/// The first `good` numbers, then an exception.
auto broken_after(int good) {
    return std::views::iota(0) | std::views::transform([good](int n) {
               if (n == good) {
                   throw std::out_of_range("the range is broken");
               }
               return n;
           });
}

/// Reads a stream to its end.
template <class R>
asio::awaitable<std::vector<coproc::element<R>>> all_of(coproc::stream<R>& s) {
    std::vector<coproc::element<R>> all;
    while (auto e = co_await s.async_next()) {
        all.push_back(std::move(*e));
    }
    co_return all;
}

/// The values, all of them there and in order.
template <class R>
asio::awaitable<std::vector<R>> values_of(coproc::stream<R> s) {
    std::vector<coproc::element<R>> all = co_await all_of(s);
    std::vector<R> values;
    for (std::size_t i = 0; i < all.size(); ++i) {
        INFO((all[i].has_error() ? all[i].error().message() : std::string()));
        CHECK(all[i].index == i);
        REQUIRE(all[i].has_value());
        values.push_back(all[i].value());
    }
    co_return values;
}

} // namespace

template <>
struct coproc::codec<shy> {
    static void encode(encoder& out, const shy& value) {
        if (value.number < 0) {
            throw std::range_error("too shy to travel");
        }
        out.write(value.number);
    }
    static shy decode(decoder& in) {
        const int number = in.read<int>();
        if (number % 10 == 7) {
            in.fail("sevens stay at home");
        }
        return {number};
    }
};

namespace {

/// Threes do not want to come back as -3.
shy turned(shy value) { return {value.number % 10 == 3 ? -value.number : value.number + 1}; }

asio::awaitable<void> as_without_chunks() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    std::vector<int> serial(100);
    for (int i = 0; i < 100; ++i) {
        serial[static_cast<std::size_t>(i)] = square(i);
    }
    for (const std::size_t size : {0U, 1U, 2U, 6U, 40U, 50U, 1000U}) {
        INFO("chunk_size " << size);
        for (const bool ordered : {true, false}) {
            const coproc::map_options options{.chunk_size = size, .ordered = ordered};
            auto s = executor.map(options, square, std::views::iota(0, 100));
            std::vector<int> seen(100, -1);
            while (auto e = co_await s.async_next()) {
                seen.at(e->index) = e->value();
            }
            CHECK(seen == serial);
            CHECK(s.ended());
            const auto all =
                co_await executor.map(options, square, std::views::iota(0, 100)).async_collect();
            CHECK(all.value() == serial);
        }
    }
    const coproc::map_options five{.chunk_size = 5};
    const std::vector<int> none;
    const auto empty = co_await executor.map(five, square, none).async_collect();
    CHECK(empty.value().empty());
    const std::vector<int> shorter{1, 2, 3, 4, 5, 6, 7};
    const auto zipped = co_await values_of(executor.map(five, add, std::views::iota(10), shorter));
    CHECK((zipped == std::vector<int>{11, 13, 15, 17, 19, 21, 23}));
    const auto done = co_await executor.map(five, nothing, shorter).async_collect();
    CHECK(done.has_value());
    const std::vector<std::string> words{"a", "", "ccc"};
    const auto lengths = co_await values_of(executor.map(five, length, words));
    CHECK((lengths == std::vector<std::size_t>{1, 0, 3}));
}

/// One task has as many elements as it may.
asio::awaitable<void> sizes() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    const coproc::map_options four{.chunk_size = 4};
    const auto tasks = co_await values_of(executor.map(four, task_number, std::views::iota(0, 10)));
    REQUIRE(tasks.size() == 10);
    for (std::size_t i = 0; i < 10; ++i) {
        CHECK(tasks[i] == tasks[i / 4 * 4]);
        CHECK((i < 4 || tasks[i] != tasks[i - 4]));
    }
    CHECK(executor.stats().submitted == 3);
}

asio::awaitable<void> constant_memory() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    int pulled = 0;
    auto numbers = executor.map({.in_flight = 3, .chunk_size = 10}, same,
                                std::views::iota(0) | std::views::transform([&pulled](int n) {
                                    ++pulled;
                                    return n;
                                }));
    for (int taken = 1; taken <= 3000; ++taken) {
        const auto e = co_await numbers.async_next();
        REQUIRE(e);
        REQUIRE(e->value() == taken - 1);
        REQUIRE(pulled <= taken - 1 + 3 * 10);
        const auto stats = executor.stats();
        REQUIRE(stats.queued + stats.staged <= 3);
    }
}

asio::awaitable<void> exceptions() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const std::vector<int> numbers{4, -1, 9, -2, 16};
    auto s = executor.map({.chunk_size = 5}, root, numbers);
    const auto all = co_await all_of(s);
    REQUIRE(all.size() == 5);
    CHECK(all[0].value() == 2);
    CHECK(all[2].value() == 3);
    CHECK(all[4].value() == 4);
    for (const std::size_t i : {1U, 3U}) {
        const coproc::failure& why = all[i].error();
        CHECK(why == errc::task_threw);
        CHECK(why.certainty() == certainty::ran);
        CHECK(why.message().find("threw std::runtime_error: no root, caused by "
                                 "std::domain_error: negative") != std::string::npos);
        CHECK_THROWS_AS(all[i].value(), std::runtime_error);
    }
    CHECK(executor.stats().started_workers == 1);

    // A codec's refusal is one element's, on all four ways.
    const std::vector<shy> people{{1}, {-2}, {3}, {7}, {5}, {-6}};
    auto turns = executor.map({.chunk_size = 6}, turned, people);
    const auto ends = co_await all_of(turns);
    REQUIRE(ends.size() == 6);
    for (std::size_t i = 0; i < 6; ++i) {
        CHECK(ends[i].index == i);
    }
    CHECK(ends[0].value().number == 2);
    CHECK(ends[1].error() == errc::encode_failed);
    CHECK(ends[1].error().certainty() == certainty::not_started);
    CHECK(ends[1].error().message().find("too shy to travel") != std::string::npos);
    CHECK(ends[2].error() == errc::encode_failed);
    CHECK(ends[2].error().certainty() == certainty::ran);
    CHECK(ends[2].error().message().find("too shy to travel") != std::string::npos);
    CHECK(ends[3].error() == errc::decode_failed);
    CHECK(ends[3].error().certainty() == certainty::not_started);
    CHECK(ends[3].error().message().find("sevens stay at home") != std::string::npos);
    CHECK(ends[4].value().number == 6);
    CHECK(ends[5].error() == errc::encode_failed);
    const std::vector<shy> six{{6}, {5}};
    auto decoded = executor.map({.chunk_size = 2}, turned, six);
    const auto at_home = co_await all_of(decoded);
    CHECK(at_home[0].error() == errc::decode_failed); // here
    CHECK(at_home[0].error().certainty() == certainty::ran);
    CHECK(at_home[1].value().number == 6);
}

asio::awaitable<void> collecting_stops() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    auto s = executor.map({.in_flight = 2, .chunk_size = 3}, root,
                          std::views::iota(0) | std::views::transform([](int n) { return 4 - n; }));
    const auto failed = co_await s.async_collect();
    REQUIRE(failed.has_error());
    CHECK(failed.error() == errc::task_threw);
    CHECK(executor.stats().submitted <= 4);
}

asio::awaitable<void> kinds_of_functions() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    const coproc::map_options three{.chunk_size = 3};
    const auto numbers = std::views::iota(0, 8);
    const auto check = [](const std::vector<int>& values, auto expected) {
        REQUIRE(values.size() == 8);
        for (int i = 0; i < 8; ++i) {
            CHECK(values[static_cast<std::size_t>(i)] == expected(i));
        }
    };
    check(co_await values_of(executor.map(
              three, [](int n) { return n + 1; }, numbers)),
          [](int n) { return n + 1; });
    check(co_await values_of(executor.map(three, coproc::fn<square>, numbers)), square);
    const scaled tenfold{10};
    check(co_await values_of(executor.map(three, tenfold, numbers)), [](int n) { return 10 * n; });
    const auto plus = coproc::bind_front(add, 100);
    check(co_await values_of(executor.map(three, plus, numbers)), [](int n) { return 100 + n; });
    const auto twice_bound = coproc::bind_front(
        coproc::bind_front(
            [](const std::string& s, int a, int b) { return static_cast<int>(s.size()) + a + b; },
            std::string("four")),
        20);
    check(co_await values_of(executor.map(three, twice_bound, numbers)),
          [](int n) { return 24 + n; });
    const auto of_a_point = coproc::bind_front(&point::sum, point{1, 2});
    check(co_await values_of(executor.map(three, of_a_point, numbers)),
          [](int n) { return 3 + n; });
    const auto named = coproc::named<int(int)>("twice_by_name");
    check(co_await values_of(executor.map(three, named, numbers)), [](int n) { return 2 * n; });
    const auto bound_by_name =
        coproc::bind_front(coproc::named<int(int, int)>("sum_by_name"), 1000);
    check(co_await values_of(executor.map(three, bound_by_name, numbers)),
          [](int n) { return 1000 + n; });
    const int offset = 7;
    const auto closure = coproc::unchecked_closure([offset](int n) { return offset + n; });
    check(co_await values_of(executor.map(three, closure, numbers)), [](int n) { return 7 + n; });

    const std::vector<point> points{{1, 2}, {3, 4}, {5, 6}, {7, 8}};
    const auto sums = co_await values_of(executor.map(three, &point::sum, points, numbers));
    CHECK((sums == std::vector<int>{3, 8, 13, 18}));
    const auto tokens = co_await values_of(executor.map(three, with_token, std::views::iota(1, 5)));
    CHECK((tokens == std::vector<bool>(4, true)));

    auto s = executor.map(three, later, numbers);
    const auto coroutines = co_await all_of(s);
    REQUIRE(coroutines.size() == 8);
    for (int i = 0; i < 8; ++i) {
        const auto& e = coroutines[static_cast<std::size_t>(i)];
        if (i == 5) {
            CHECK_THROWS_AS(e.value(), std::out_of_range);
        } else {
            CHECK(e.value() == i + 1);
        }
    }
}

asio::awaitable<void> broken_ranges(std::size_t chunk_size) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    auto s = executor.map({.in_flight = 1, .chunk_size = chunk_size}, same, broken_after(6));
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
    CHECK(taken == 6); // what was gathered before has been given
    CHECK(s.ended());
    auto whole = executor.map({.chunk_size = chunk_size}, same, broken_after(50));
    const auto all = co_await whole.async_collect();
    REQUIRE(all.has_error());
    CHECK(all.error() == errc::encode_failed);
    CHECK_THROWS_AS(all.value(), std::out_of_range);
}

/// The element at which a worker dies fails, and no other.
asio::awaitable<void> crashes() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    auto s = executor.map({.chunk_size = 25}, crash_at_threes, std::views::iota(0, 50));
    const auto all = co_await all_of(s);
    REQUIRE(all.size() == 50);
    for (std::size_t i = 0; i < 50; ++i) {
        INFO(i);
        CHECK(all[i].index == i);
        if (all[i].has_value()) {
            CHECK(i % 10 != 3);
            CHECK(all[i].value() == static_cast<int>(i));
            continue;
        }
        const coproc::failure& why = all[i].error();
        CHECK(why == errc::worker_terminated);
        REQUIRE(why.worker());
        CHECK(why.worker()->signal == SIGABRT);
        CHECK(why.certainty() == (i % 10 == 3 ? certainty::may_have_run : certainty::ran));
    }
    for (const std::size_t last : {24U, 49U}) { // they follow a crash, and run in another worker
        CHECK(all[last].has_value());
    }
    CHECK(executor.stats().crashed_workers == 5);
}

/// What has been sent is not lost, and nothing is run twice.
asio::awaitable<void> kill_in_a_chunk() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    const std::vector<std::string> names{"", "", meeting.name(), "", ""};
    auto s = executor.map({.chunk_size = 5}, work_or_meet, names, std::views::iota(0));
    auto next = s.async_next();
    int pid = 0;
    auto other = co_await meeting.arrival(&pid);
    ::kill(pid, SIGKILL);
    const auto first = co_await std::move(next);
    CHECK(first->value() == 0);
    const auto all = co_await all_of(s);
    REQUIRE(all.size() == 4);
    CHECK(all[0].value() == 1);
    CHECK(all[1].error() == errc::worker_terminated);
    CHECK(all[1].error().certainty() == certainty::may_have_run);
    REQUIRE(all[1].error().worker());
    CHECK(all[1].error().worker()->pid == pid);
    CHECK(all[2].value() == 3);
    CHECK(all[3].value() == 4);
    CHECK(executor.stats().submitted == 1);
    CHECK(executor.stats().started_workers == 2);
}

/// An element that may be run again is, from the first that has not been answered.
asio::awaitable<void> retries() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    const std::vector<std::string> names{"", meeting.name(), ""};
    auto s =
        executor.map({.chunk_size = 3, .task = {.retries = 1}}, meet, names, std::views::iota(0));
    auto next = s.async_next();
    int pid = 0;
    auto killed = co_await meeting.arrival(&pid);
    ::kill(pid, SIGKILL);
    auto again = co_await meeting.arrival();
    again.close();
    const auto first = co_await std::move(next);
    CHECK(first->value() == 0);
    const auto rest = co_await all_of(s);
    REQUIRE(rest.size() == 2);
    CHECK(rest[0].value() == 1);
    CHECK(rest[1].value() == 2);
}

/// All elements have the chunk's end; none that has not begun begins any more.
asio::awaitable<void> cancelling(asio::cancellation_type type) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    test::meeting never(loop);
    const std::vector<std::string> names{meeting.name(), never.name(), never.name(), never.name()};
    auto s = executor.map({.in_flight = 2, .chunk_size = 2, .task = {.grace = coproc::no_limit}},
                          until_stopped, names, std::views::iota(0));
    auto next = s.async_next();
    auto other = co_await meeting.arrival();
    s.cancel(type);
    const auto first = co_await std::move(next);
    const auto rest = co_await all_of(s);
    REQUIRE(rest.size() == 3);
    if (type == asio::cancellation_type::partial) { // it is waited for
        CHECK(first->value() == 0);
        CHECK(rest[0].error() == errc::cancelled);
        CHECK(rest[0].error().certainty() == certainty::not_started);
    } else {
        CHECK(first->error() == errc::cancelled);
        CHECK(first->error().certainty() == certainty::may_have_run);
        CHECK(rest[0].error() == errc::cancelled);
        CHECK(rest[0].error().certainty() == certainty::may_have_run);
    }
    for (const std::size_t i : {1U, 2U}) { // of a chunk that never began
        CHECK(rest[i].error() == errc::cancelled);
        CHECK(rest[i].error().certainty() == certainty::not_started);
    }
    const auto last = co_await executor.submit(same, 7); // the same worker
    CHECK(last.value() == 7);
    CHECK(executor.stats().started_workers == 1);
}

asio::awaitable<void> time_is_over() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    const std::vector<std::string> names{meeting.name(), "", ""};
    auto s = executor.map({.chunk_size = 2, .task = {.run_timeout = 500ms, .grace = 0ms}}, meet,
                          names, std::views::iota(0));
    const auto all = co_await all_of(s);
    REQUIRE(all.size() == 3);
    CHECK(all[0].error() == errc::timed_out);
    CHECK(all[1].error() == errc::timed_out);
    CHECK(all[2].value() == 2);
}

/// Messages are as long as they may be, and only what does not fit alone fails.
asio::awaitable<void> large_elements() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .max_message_bytes = 64 * 1024});
    const std::vector<int> sizes{10, 50'001, 50'000, 70'000, 3, 59'000, 20'001, 20'003, 20'000};
    std::vector<std::string> texts;
    for (const int size : sizes) {
        texts.push_back(repeated(size));
    }
    const auto check = [&sizes](const auto& all, errc code, certainty how, auto size_of) {
        REQUIRE(all.size() == sizes.size());
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            INFO(i);
            if (sizes[i] == 70'000) {
                CHECK(all[i].error() == code);
                CHECK(all[i].error().certainty() == how);
            } else {
                INFO((all[i].has_error() ? all[i].error().message() : std::string()));
                REQUIRE(all[i].has_value());
                CHECK(size_of(all[i].value()) == static_cast<std::size_t>(sizes[i]));
            }
        }
    };
    auto arguments = executor.map({.chunk_size = 9}, length, texts);
    check(co_await all_of(arguments), errc::too_large, certainty::not_started,
          [](std::size_t size) { return size; });
    auto results = executor.map({.chunk_size = 9}, repeated, sizes);
    check(co_await all_of(results), errc::too_large, certainty::ran,
          [](const std::string& text) { return text.size(); });
    CHECK(executor.stats().started_workers == 1);
}

/// Small ones take so long that they are sent before the next element begins.
std::string repeat_or_meet(int n, const std::string& name) {
    meet(name, n);
    const auto end = std::chrono::steady_clock::now() + 2ms;
    while (n < 1000 && std::chrono::steady_clock::now() < end) {
    }
    return repeated(n);
}

/// A large part goes over the socket. Small ones that come later are not taken before it, though
/// the ring has room for them, and nobody reads meanwhile.
asio::awaitable<void> order_of_parts() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting first(loop);
    test::meeting last(loop);
    const std::vector<int> sizes{80'000, 1, 2, 80'001, 3};
    const std::vector<std::string> names{first.name(), "", "", "", last.name()};
    auto s = executor.map({.chunk_size = 5}, repeat_or_meet, sizes, names);
    auto pending = s.async_next();
    {
        auto worker = co_await first.arrival();
        worker.close();
    }
    last.await_arrival().close(); // the loop stands still until then
    std::vector<int> got;
    for (auto next = co_await std::move(pending); next; next = co_await s.async_next()) {
        got.push_back(static_cast<int>(next->value().size()));
    }
    CHECK(got == sizes);
}

int report_element(int n, const coproc::progress_sink<int>& sink) {
    sink(n);
    return n;
}
int report_element_first(const coproc::progress_sink<int>& sink, int n) {
    return report_element(n, sink);
}

/// Elements of a chunk have sinks as tasks have them, and share those that are the same.
asio::awaitable<void> reporting_elements(coproc::full_policy policy) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2, .max_message_bytes = 64 * 1024});
    const auto numbers = std::views::iota(0, 200);
    const auto read = [](coproc::progress<int>& from) -> asio::awaitable<std::vector<int>> {
        std::vector<int> all;
        while (auto next = co_await from.async_next()) {
            all.push_back(next->value());
        }
        std::ranges::sort(all);
        co_return all;
    };
    const std::vector<int> expected(numbers.begin(), numbers.end());
    {
        coproc::progress<int> reports(executor, {.capacity = 1000, .when_full = policy});
        auto s = executor.map({.chunk_size = 50}, report_element, numbers,
                              std::vector<coproc::progress_sink<int>>(200, reports.sink()));
        const auto got = co_await std::move(s).async_collect();
        CHECK(got.value() == expected);
        const auto reported = co_await read(reports);
        CHECK(reported == expected);
    }
    coproc::progress<int> reports(executor, {.capacity = 1000, .when_full = policy});
    auto s = executor.map({.chunk_size = 50},
                          coproc::bind_front(report_element_first, reports.sink()), numbers);
    const auto got = co_await std::move(s).async_collect();
    CHECK(got.value() == expected);
    const auto reported = co_await read(reports);
    CHECK(reported == expected);
}

/// An element that is carried into the next message keeps its sinks.
int report_length(const std::string& text, const coproc::progress_sink<int>& sink) {
    return report_element(static_cast<int>(text.size()), sink);
}

asio::awaitable<void> sinks_of_large_elements() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .max_message_bytes = 64 * 1024});
    std::vector<coproc::progress<int>> reports;
    std::vector<coproc::progress_sink<int>> sinks;
    std::vector<std::string> texts;
    for (int i = 0; i < 10; ++i) {
        reports.emplace_back(executor);
        sinks.push_back(reports.back().sink());
        texts.push_back(repeated(25'000 + i));
    }
    auto results = executor.map({.chunk_size = 10}, report_length, texts, sinks).async_collect();
    const auto got = co_await std::move(results);
    CHECK(got.value().size() == 10);
    for (int i = 0; i < 10; ++i) {
        const auto next = co_await reports[static_cast<std::size_t>(i)].async_next();
        REQUIRE(next);
        CHECK(next->value() == 25'000 + i);
    }
    CHECK(executor.stats().submitted == 5);
}

/// More than a task may have.
asio::awaitable<void> many_sinks() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    std::vector<coproc::progress<int>> reports;
    std::vector<coproc::progress_sink<int>> sinks;
    for (int i = 0; i < 20; ++i) {
        reports.emplace_back(executor);
        sinks.push_back(reports.back().sink());
    }
    auto s = executor.map({.chunk_size = 20}, report_element, std::views::iota(0, 20), sinks);
    const auto all = co_await all_of(s);
    REQUIRE(all.size() == 20);
    for (std::size_t i = 0; i < 20; ++i) {
        INFO(i);
        CHECK(all[i].has_value() == (i != 16));
    }
    CHECK_THAT(all[16].error().message(), test::contains_text("at most 16 progress sinks"));
}

asio::awaitable<void> refused() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto numbers = std::views::iota(0, 3);
    CHECK_THROWS_WITH(executor.map({.chunk_size = static_cast<std::size_t>(-1)}, same, numbers),
                      test::contains_text("map_options::chunk_size"));
    executor.stop();
    auto s = executor.map({.chunk_size = 2}, same, numbers);
    const auto all = co_await all_of(s);
    REQUIRE(all.size() == 3);
    for (const auto& e : all) {
        CHECK(e.error() == errc::executor_shutdown);
        CHECK(e.error().certainty() == certainty::not_started);
    }
}

asio::awaitable<void> dropping() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    {
        const std::vector<std::string> names{meeting.name(), "", "", ""};
        auto s = executor.map({.in_flight = 2, .chunk_size = 2}, meet, names, std::views::iota(0));
        auto pending = s.async_next();
        auto other = co_await meeting.arrival();
        { auto dropped = std::move(s); }
        CHECK(executor.stats().completed == 1); // the chunk that had not begun
        const auto nobody = co_await std::move(pending);
        CHECK_FALSE(nobody);
        other.close();
    }
    const auto last = co_await executor.submit(same, 3);
    CHECK(last.value() == 3);
    CHECK(executor.stats().started_workers == 1);
}

} // namespace

TEST_CASE("loky test_map_chunksize: all sizes of chunks give the same", "[map][chunk]") {
    test::run(as_without_chunks());
}

TEST_CASE("a chunk has as many elements as it may", "[map][chunk]") { test::run(sizes()); }

TEST_CASE("an endless range is mapped in chunks in constant memory", "[map][chunk]") {
    test::run(constant_memory());
}

TEST_CASE("an element of a chunk that throws, or cannot travel, fails alone", "[map][chunk]") {
    test::run(exceptions());
}

TEST_CASE("collecting stops at the first failure in a chunk", "[map][chunk]") {
    test::run(collecting_stops());
}

TEST_CASE("all kinds of functions can be mapped in chunks", "[map][chunk]") {
    test::run(kinds_of_functions());
}

TEST_CASE("loky test_imap_handle_iterable_exception: the range's exception comes after its chunk",
          "[map][chunk]") {
    test::run(broken_ranges(GENERATE(1U, 2U, 4U)));
}

TEST_CASE("a crash in a chunk fails the element that had begun", "[map][chunk][process]") {
    test::run(crashes());
}

TEST_CASE("a chunk whose worker is killed keeps results, and its rest is run elsewhere",
          "[map][chunk][process]") {
    test::run(kill_in_a_chunk());
}

TEST_CASE("a chunk is run again as its options say", "[map][chunk][process]") {
    test::run(retries());
}

TEST_CASE("a chunk is cancelled as a whole", "[map][chunk]") {
    test::run(
        cancelling(GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial)));
}

TEST_CASE("a chunk times out as a whole", "[map][chunk][process]") { test::run(time_is_over()); }

TEST_CASE("chunks are cut where they would exceed a message", "[map][chunk]") {
    test::run(large_elements());
}

TEST_CASE("the parts of a chunk's results are taken in their order", "[map][chunk]") {
    test::run(order_of_parts());
}

TEST_CASE("elements of a chunk report progress", "[map][chunk][progress]") {
    test::run(
        reporting_elements(GENERATE(coproc::full_policy::drop_oldest, coproc::full_policy::wait)));
}

TEST_CASE("an element that goes into the next message reports, too", "[map][chunk][progress]") {
    test::run(sinks_of_large_elements());
}

TEST_CASE("a chunk has as many sinks as a task, and one more costs its element",
          "[map][chunk][progress]") {
    test::run(many_sinks());
}

TEST_CASE("a chunk that is refused is refused for each element", "[map][chunk]") {
    test::run(refused());
}

TEST_CASE("a stream that is dropped leaves a chunk that runs alone", "[map][chunk]") {
    test::run(dropping());
}
