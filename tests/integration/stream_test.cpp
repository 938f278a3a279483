#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/matchers.hpp"
#include "support/meeting.hpp"

#include <coproc/coproc.hpp>
#include <coproc/map.hpp>
#include <coproc/progress.hpp>
#include <coproc/wait.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>

#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <vector>

// What readers of a stream may do at awkward moments.

namespace {

using coproc::errc;
using jobs = std::vector<coproc::job<int>>;

int same(int n) { return n; }
int report(const coproc::progress_sink<int>& sink, int n) {
    sink(n);
    return n;
}

/// Calls `read` when a job is done, while the end of the only job of a stream has not been told.
template <class Read>
void before_the_end_is_told(Read read) {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto earlier = executor.submit(same, 1);
    jobs later;
    later.push_back(executor.submit(same, 2));
    auto stream = coproc::as_completed(std::move(later));
    bool called = false;
    earlier.async_wait([&] {
        called = true;
        read(stream);
    });
    earlier.cancel(); // both are done now, and the loop has still to say so, in this order
    stream.cancel();
    test::run(loop);
    CHECK(called);
    CHECK(stream.ended());
}

/// A range that cuts its own stream short at its fourth element.
asio::awaitable<void> cut_from_inside(std::size_t chunk_size, std::size_t expected) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    std::optional<coproc::stream<int>> s;
    const auto kept = std::make_shared<int>(0);
    s.emplace(executor.map({.in_flight = 10, .chunk_size = chunk_size}, same,
                           std::views::iota(0) | std::views::transform([&, kept](int n) {
                               if (n == 3) {
                                   s->cancel();
                                   CHECK(kept.use_count() > 1); // it is still in use, here
                               }
                               return n;
                           })));
    std::size_t given = 0;
    while (auto e = co_await s->async_next()) {
        CHECK(e->index == given++);
        CHECK(e->error() == errc::cancelled);
    }
    CHECK(given == expected);
    CHECK(s->ended());
    CHECK(kept.use_count() == 1);
    const auto last = co_await executor.submit(same, 7);
    CHECK(last.value() == 7);
}

/// A collection that is cancelled while it advances its range.
asio::awaitable<void> cancelled_from_inside(std::size_t in_flight) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    asio::cancellation_signal signal;
    int pulled = 0;
    const auto numbers = std::views::iota(0, 20) | std::views::transform([&](int n) {
                             ++pulled;
                             if (n == 5) {
                                 signal.emit(asio::cancellation_type::terminal);
                             }
                             return n;
                         });
    std::optional<coproc::result<std::vector<int>>> got;
    bool connected = true;
    executor.map({.in_flight = in_flight}, same, numbers)
        .async_collect(
            asio::bind_cancellation_slot(signal.slot(), [&](coproc::result<std::vector<int>> all) {
                connected = signal.slot().has_handler();
                got = std::move(all);
            }));
    while (!got) {
        co_await test::turn();
    }
    CHECK(got->error() == errc::cancelled);
    CHECK(pulled == 6);
    CHECK_FALSE(connected); // the slot is the caller's again
}

/// Numbers that hold something until they are destroyed.
auto holding(const std::shared_ptr<int>& held, int numbers) {
    return std::views::iota(0, numbers) |
           std::views::transform([held](int n) { return n + *held; });
}

asio::awaitable<void> let_go_at_the_end(std::size_t chunk_size, std::size_t in_flight) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto held = std::make_shared<int>(0);
    const coproc::map_options options{.in_flight = in_flight, .chunk_size = chunk_size};
    for (const int numbers : {0, 1, 3}) {
        auto s = executor.map(options, same, holding(held, numbers));
        while (auto e = co_await s.async_next()) {
            CHECK(e->has_value());
        }
        CHECK(held.use_count() == 1);
    }
    auto cut = executor.map(options, same, holding(held, 100));
    const auto first = co_await cut.async_next();
    CHECK(first->value() == 0);
    cut.cancel();
    while (co_await cut.async_next()) {
    }
    CHECK(held.use_count() == 1);
    auto not_begun = executor.map(options, same, holding(held, 100));
    not_begun.cancel();
    CHECK(not_begun.ended());
    CHECK(held.use_count() == 1);
}

/// Bound values go with the range.
asio::awaitable<void> progress_ends() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    coproc::progress<int> numbers(executor);
    auto s = executor.map({.in_flight = 1}, coproc::bind_front(report, numbers.sink()),
                          std::views::iota(0, 3));
    for (int i = 0; i < 3; ++i) {
        const auto e = co_await s.async_next();
        CHECK(e->value() == i);
    }
    const auto end = co_await s.async_next();
    CHECK_FALSE(end);
    for (int i = 0; i < 3; ++i) {
        const auto reported = co_await numbers.async_next();
        CHECK(reported->value() == i);
    }
    CHECK(numbers.ended());
}

} // namespace

TEST_CASE("a stream lets go of its range where the range ends or is cut short", "[stream][map]") {
    for (const std::size_t in_flight : {1U, 2U, 10U}) {
        test::run(let_go_at_the_end(1, in_flight));
        test::run(let_go_at_the_end(2, in_flight));
    }
    test::run(progress_ends());
}

TEST_CASE("a collection may be cancelled while it advances its range", "[stream][map]") {
    test::run(cancelled_from_inside(1));
    test::run(cancelled_from_inside(3));
    test::run(cancelled_from_inside(100));
}

TEST_CASE("a stream is collected once", "[stream][map]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    auto s = executor.map(same, std::views::iota(0, 3));
    const auto all = s.get();
    CHECK((all.value() == std::vector<int>{0, 1, 2}));
    CHECK_THROWS_AS(s.get(), std::logic_error);
    CHECK_THROWS_WITH(s.async_collect(), test::contains_text("was collected already"));
    CHECK_FALSE(s.next()); // nothing is left
    CHECK(s.ended());
}

TEST_CASE("a range may cut its own stream short", "[stream][map]") {
    // The element that was being made is none any more, nor are the others of its chunk.
    test::run(cut_from_inside(1, 3));
    test::run(cut_from_inside(2, 2));
    test::run(cut_from_inside(5, 0));
}

TEST_CASE("blocking on a loop for a job that is done, which the loop has still to tell, is refused",
          "[stream][wait]") {
    before_the_end_is_told([](coproc::stream<int>& s) {
        CHECK_THROWS_AS(s.next(), coproc::failed);
        s.async_next([](const std::optional<coproc::element<int>>& e) {
            REQUIRE(e); // nothing is lost
            CHECK(e->error() == errc::cancelled);
        });
    });
    before_the_end_is_told([](coproc::stream<int>& s) {
        const auto all = s.get();
        CHECK(all.error() == errc::would_deadlock);
    });
}
