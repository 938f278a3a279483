// How many elements a second does a map give, in chunks of 1 to 1000? Floor: a coroutine that
// submits each element as a task of its own, with a window of jobs; and beside it the plain loop in
// this process. All in turns, one worker.
#include "common/measure.hpp"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <coproc/coproc.hpp>
#include <coproc/map.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <deque>
#include <ranges>
#include <string>
#include <vector>

namespace {

constexpr std::array<std::size_t, 4> chunk_sizes{1, 10, 100, 1000};
constexpr std::size_t in_flight = 64;
constexpr int rounds = 7;

int next(int n) { return n + 1; }

/// Works for 10 us.
int next_after_work(int n) {
    const auto end = bench::clock::now() + std::chrono::microseconds(10);
    while (bench::clock::now() < end) {
    }
    return n + 1;
}

using function = int (*)(int);

void expect(int got, int wanted) {
    if (got != wanted) {
        std::abort();
    }
}

asio::awaitable<void> map(coproc::executor& executor, function f, int elements,
                          std::size_t chunk_size) {
    auto stream = executor.map({.in_flight = in_flight, .chunk_size = chunk_size}, f,
                               std::views::iota(0, elements));
    int taken = 0;
    while (auto e = co_await stream.async_next()) {
        expect(e->value(), ++taken);
    }
    expect(taken, elements);
}

asio::awaitable<void> window(coproc::executor& executor, function f, int elements) {
    std::deque<coproc::job<int>> jobs;
    int taken = 0;
    for (int i = 0; i < elements || !jobs.empty();) {
        while (i < elements && jobs.size() < in_flight) {
            jobs.push_back(executor.submit(f, i++));
        }
        const coproc::result<int> r = co_await std::move(jobs.front());
        jobs.pop_front();
        expect(r.value(), ++taken);
    }
}

/// The function is called through a pointer that the compiler does not know.
void plain_loop(function f, int elements) {
    const volatile function unknown = f;
    for (int i = 0; i < elements; ++i) {
        expect(unknown(i), i + 1);
    }
}

template <class Work>
double elements_per_second(int elements, Work work) {
    const auto start = bench::clock::now();
    work();
    return elements / std::chrono::duration<double>(bench::clock::now() - start).count();
}

double run(asio::io_context& loop, int elements, asio::awaitable<void> work) {
    asio::co_spawn(loop, std::move(work), [](std::exception_ptr e) {
        if (e) {
            std::rethrow_exception(e);
        }
    });
    return elements_per_second(elements, [&] {
        loop.restart();
        loop.run();
    });
}

asio::awaitable<void> pin_worker(coproc::executor& executor, int processor) {
    co_await executor.submit(bench::pin, processor);
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(),
                     values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

void measure(bench::report& report, const char* name, function f, int elements) {
    asio::io_context loop(1);
    coproc::executor executor(loop, {.max_workers = 1});
    run(loop, 1, pin_worker(executor, 1));
    std::vector<double> floor;
    std::vector<double> here;
    std::array<std::vector<double>, chunk_sizes.size()> mapped;
    for (int round = 0; round < rounds; ++round) {
        here.push_back(elements_per_second(elements, [=] { plain_loop(f, elements); }));
        floor.push_back(run(loop, elements, window(executor, f, elements)));
        for (std::size_t i = 0; i < chunk_sizes.size(); ++i) {
            mapped[i].push_back(run(loop, elements, map(executor, f, elements, chunk_sizes[i])));
        }
    }
    for (std::size_t i = 0; i < chunk_sizes.size(); ++i) {
        const double ours = median(mapped[i]);
        report.add({"map", "elements_per_second", ours, "/s", median(floor), ours / median(floor),
                    std::string("\"function\":\"") + name +
                        "\", \"chunk_size\":" + std::to_string(chunk_sizes[i]) +
                        ", \"in_flight\":" + std::to_string(in_flight) +
                        ", \"workers\":1, \"plain_loop\":" +
                        std::to_string(static_cast<long long>(median(here)))});
    }
}

} // namespace

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    bench::report report(argc, argv);
    bench::pin(0);
    measure(report, "no-op", next, 200'000);
    measure(report, "10 us", next_after_work, 20'000);
}
