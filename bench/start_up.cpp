// What does one more worker cost, from the request until it is ready for tasks? Of forked workers,
// without memory that they share and with 256 MiB of it; floor: workers that are executed, which
// have nothing of the kind. One after the other, and 32 at a time.
#include "common/measure.hpp"

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <coproc/coproc.hpp>

#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

namespace {

constexpr std::size_t together = 32;

void fill_memory(std::size_t bytes) {
    coproc::this_worker::local<std::vector<char>>(bytes, 'x'); // each page is written to
}

struct times {
    bench::samples one;
    bench::samples of_many; // for each of them
};

asio::awaitable<void> measure(times& out, coproc::executor_options options) {
    constexpr std::size_t one_by_one = 16;
    const auto loop = co_await asio::this_coro::executor;
    options.max_workers = 1 + one_by_one + together;
    coproc::executor executor(loop, options);
    const auto ready = co_await executor.async_start(1); // the zygote, too
    if (!ready) {
        std::abort();
    }
    for (std::size_t count = 2; count <= 1 + one_by_one; ++count) {
        const auto start = bench::clock::now();
        co_await executor.async_start(count);
        out.one.add(bench::clock::now() - start);
    }
    const auto start = bench::clock::now();
    co_await executor.async_start(1 + one_by_one + together);
    out.of_many.add((bench::clock::now() - start) / together);
}

void run(times& out, const coproc::executor_options& options) {
    asio::io_context loop(1);
    asio::co_spawn(loop, measure(out, options), [](std::exception_ptr e) {
        if (e) {
            std::rethrow_exception(e);
        }
    });
    loop.run();
}

} // namespace

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    bench::report report(argc, argv);
    using coproc::start_method;
    const coproc::executor_options execute{.start = start_method::exec};
    const coproc::executor_options fork{.start = start_method::forkserver};
    const coproc::executor_options fork_large{
        .start = start_method::forkserver,
        .preload = {coproc::call(fill_memory, std::size_t{256} << 20)}};
    times executed;
    times forked;
    times forked_large;
    for (int round = 0; round < 20; ++round) {
        run(executed, execute);
        run(forked, fork);
        run(forked_large, fork_large);
    }
    for (const auto& [name, ours] :
         {std::pair("forked", &forked), {"forked_256_MiB", &forked_large}}) {
        for (const auto& [which, metric] :
             {std::pair(&times::one, "p50_alone"), {&times::of_many, "p50_together"}}) {
            const double value = ((*ours).*which).percentile(0.5);
            const double floor = (executed.*which).percentile(0.5);
            report.add({"start_up", std::string(name) + "_" + metric, value, "us", floor,
                        value / floor, ""});
        }
    }
}
