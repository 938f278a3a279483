#include "support/catch.hpp"
#include "support/loop.hpp"

#include <coproc/coproc.hpp>
#include <coproc/map.hpp>

#include <ranges>
#include <string>

// The forms that docs/compilers.md calls safe with GCC 12, which destroys some temporaries of a
// co_await expression twice: a sanitizer, or the allocator, ends this program if one is not.

namespace {

using namespace std::chrono_literals;

struct spec {
    std::string name;
    int size;
};

int size_of(const spec& s) { return s.size; }
int same(int n) { return n; }

asio::awaitable<void> awaited_loop() {
    coproc::executor workers(co_await asio::this_coro::executor);
    coproc::executor braced{co_await asio::this_coro::executor};
    const auto got = co_await workers.submit(same, 1);
    CHECK(got.value() == 1);
    const auto other = co_await braced.submit(same, 2);
    CHECK(other.value() == 2);
}

asio::awaitable<void> named_loop() {
    const auto loop = co_await asio::this_coro::executor;
    const coproc::executor_options options{.max_workers = 1};
    coproc::executor workers(loop, {.max_workers = 1});
    coproc::executor named(co_await asio::this_coro::executor, options);
    const auto got = co_await workers.submit(
        {.timeout = 1h, .name = "a name that is longer than a string holds itself"}, same, 1);
    CHECK(got.value() == 1);
    const spec wanted{"a text that is longer than a string holds itself", 7};
    const auto size = co_await named.submit(size_of, wanted);
    CHECK(size.value() == 7);
    auto job = named.submit(size_of, spec{"another text longer than a string holds itself", 8});
    const auto later = co_await std::move(job);
    CHECK(later.value() == 8);
    const auto all =
        co_await workers.map({.in_flight = 2}, same, std::views::iota(0, 9)).async_collect();
    CHECK(all.value().size() == 9);
    const auto report = co_await workers.async_shutdown({.timeout = 1h}, asio::use_awaitable);
    CHECK(report.cancelled == 0);
}

} // namespace

TEST_CASE("an executor takes the loop that a coroutine awaits", "[await]") {
    test::run(awaited_loop());
}
TEST_CASE("what has a name, or is trivially copyable, may stand beside co_await", "[await]") {
    test::run(named_loop());
}
