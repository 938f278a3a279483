// Tells which numbers are prime, each in a worker process: as they are found, then all at once.
#include <asio.hpp>
#include <coproc/coproc.hpp>
#include <coproc/map.hpp>

#include <algorithm>
#include <iostream>
#include <ranges>
#include <stdexcept>

bool is_prime(int n) { // runs in a worker
    if (n < 2) {
        throw std::domain_error("it is less than 2");
    }
    for (int d = 2; d * d <= n; ++d) {
        if (n % d == 0) {
            return false;
        }
    }
    return true;
}

asio::awaitable<void> run(int& wrong) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor workers(loop);
    // The range is endless: no more of it is on its way than twice the number of workers.
    auto all = workers.map({.ordered = false}, is_prime, std::views::iota(0));
    int primes = 0;
    while (primes < 10) {
        const auto next = co_await all.async_next(); // std::nullopt would be the end
        if (!*next) {
            std::cout << next->index << ": " << next->error() << '\n';
        } else if (next->value()) {
            std::cout << next->index << " is prime\n";
            ++primes;
        }
    }
    all.cancel(); // dropping it would do, too

    const coproc::result<std::vector<bool>> hundred =
        co_await workers.map(is_prime, std::views::iota(2, 100)).async_collect();
    const auto count = std::ranges::count(hundred.value(), true);
    std::cout << count << " primes are less than 100\n";

    // The first failure is the result, and what has not begun is cancelled.
    const auto failed = co_await workers.map(is_prime, std::views::iota(-5, 100)).async_collect();
    std::cout << failed.error() << '\n';
    wrong += count != 25 || failed.error() != coproc::errc::task_threw;
}

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    asio::io_context loop;
    int wrong = 0;
    asio::co_spawn(loop, run(wrong), [](std::exception_ptr error) {
        if (error) {
            std::rethrow_exception(error);
        }
    });
    loop.run();
    return wrong;
}
