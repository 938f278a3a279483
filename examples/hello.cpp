#include <asio.hpp>
#include <coproc/coproc.hpp>
#include <iostream>
using namespace std::chrono_literals;

int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
int crash(int) { std::abort(); }

asio::awaitable<void> run() {
    auto loop = co_await asio::this_coro::executor;
    coproc::executor executor{loop, {.max_workers = 4}}; // on this loop; makes no thread
    for (auto f : {fib, crash}) {
        coproc::result<int> r = co_await executor.submit({.timeout = 2s}, f, 30);
        if (r)
            std::cout << r.value() << '\n'; // 832040
        else
            // crash: worker 4242 was killed by SIGABRT; the task may have run; ...
            std::cout << r.error() << '\n';
    }
} // the workers end with their executor, and loop.run() returns

int main(int argc, char** argv) {
    coproc::init(argc, argv); // a worker process does not come back from here
    asio::io_context loop;
    asio::co_spawn(loop, run(), asio::detached);
    loop.run();
}
