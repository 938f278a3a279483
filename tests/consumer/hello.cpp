// A user's first program, as README shows it, without coproc::init: coproc-main calls that.
#include <coproc/coproc.hpp>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/this_coro.hpp>

#include <iostream>

int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

asio::awaitable<void> run() {
    auto loop = co_await asio::this_coro::executor;
    coproc::executor executor{loop, {.max_workers = 1}};
    coproc::result<int> r = co_await executor.submit(fib, 20);
    if (r) {
        std::cout << r.value() << '\n';
    } else {
        std::cout << r.error() << '\n';
    }
}

int main() {
    asio::io_context loop;
    asio::co_spawn(loop, run(), asio::detached);
    loop.run();
}
