#pragma once

#include "support/catch.hpp"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <utility>

// Coroutines on a loop, for tests with real workers. No co_await stands inside CHECK or REQUIRE:
// their macros name the expression twice, and GCC 12 then awaits twice.
namespace test {

/// What no test needs, even on a busy machine under a sanitizer: it only ends tests that hang.
inline constexpr auto patience = std::chrono::seconds(100);

/// Runs the loop until it has nothing more to do, which must happen by itself.
inline void run(asio::io_context& loop) {
    loop.restart();
    loop.run_for(patience);
    REQUIRE(loop.stopped());
}

/// Runs a coroutine to its end, and the loop to its own.
inline void run(asio::io_context& loop, asio::awaitable<void> coroutine) {
    std::exception_ptr thrown;
    bool ended = false;
    asio::co_spawn(loop, std::move(coroutine), [&](std::exception_ptr error) {
        thrown = std::move(error);
        ended = true;
    });
    run(loop);
    if (thrown) {
        std::rethrow_exception(thrown);
    }
    REQUIRE(ended);
}

inline void run(asio::awaitable<void> coroutine) {
    asio::io_context loop;
    run(loop, std::move(coroutine));
}

/// Lets the loop take a turn.
inline asio::awaitable<void> turn() {
    const auto loop = co_await asio::this_coro::executor;
    co_await asio::post(loop, asio::use_awaitable);
}

} // namespace test
