// Who waits no longer than he wants: for an answer, for the run of a task, and beside a timer.
#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <coproc/coproc.hpp>

#include <atomic>
#include <iostream>

using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;

int twice(int n) { return 2 * n; } // these run in a worker

int endless(int) {
    for (std::atomic<int> i = 0;; ++i) {
    }
}

/// Whether it timed out.
bool late(const char* what, const coproc::result<int>& r) {
    if (r) {
        std::cout << what << ": " << r.value() << '\n';
        return false;
    }
    std::cout << what << ": " << r.error() << '\n';
    return r.error() == coproc::errc::timed_out;
}

asio::awaitable<void> run(bool& right) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor workers(loop, {.max_workers = 1});

    // From submit to answer. Whatever still runs is asked to stop, and after its grace killed.
    auto r = co_await workers.submit({.timeout = 100ms, .grace = 10ms}, endless, 1);
    right &= late("timeout", r);

    // The function alone, however long it waits for a worker.
    r = co_await workers.submit({.run_timeout = 100ms, .grace = 10ms}, endless, 2);
    right &= late("run_timeout", r);

    // What waits behind a long task times out, too, and nothing of it has run.
    auto busy = workers.submit({.grace = 0ms}, endless, 4);
    r = co_await workers.submit({.timeout = 50ms}, twice, 5);
    right &= late("in the queue", r) && r.error().safe_to_retry();

    // Beside a timer, or whatever else a loop waits for. The loser is cancelled.
    asio::steady_timer timer(loop, 50ms);
    auto first =
        co_await (std::move(busy)(asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
    std::cout << (first.index() == 1 ? "the timer was first\n" : "the task was first\n");
    right &= first.index() == 1;

    timer.expires_after(1h);
    auto quick = workers.submit(twice, 21); // the worker was killed, and this starts another one
    first =
        co_await (std::move(quick)(asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
    right &= first.index() == 0 && std::get<0>(first).value() == 42;
}

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    asio::io_context loop;
    bool right = true;
    asio::co_spawn(loop, run(right), [](std::exception_ptr error) {
        if (error) {
            std::rethrow_exception(error);
        }
    });
    loop.run();
    return right ? 0 : 1;
}
