// How many no-op tasks a second, with many in flight? Floor: a raw stream of the same bytes through
// a socketpair, as many in flight, written and answered in batches, in chunks interleaved with
// ours.
#include "common/measure.hpp"
#include "common/raw_peer.hpp"
#include "wire/messages.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <coproc/coproc.hpp>

#include <cstdio>
#include <cstdlib>
#include <deque>

namespace {

int next(int n) { return n + 1; }

double per_second(std::size_t tasks, bench::clock::duration time) {
    return static_cast<double>(tasks) / std::chrono::duration<double>(time).count();
}

asio::awaitable<void> one_of_many(coproc::executor& executor, int tasks) {
    for (int i = 0; i < tasks; ++i) {
        const coproc::result<int> r = co_await executor.submit(next, i);
        if (r.value() != i + 1) {
            std::abort();
        }
    }
}

/// `in_flight` coroutines, each with one task at a time.
double coroutines(asio::io_context& loop, coproc::executor& executor, int total, int in_flight) {
    for (int c = 0; c < in_flight; ++c) {
        asio::co_spawn(loop, one_of_many(executor, total / in_flight), [](std::exception_ptr e) {
            if (e) {
                std::rethrow_exception(e);
            }
        });
    }
    const auto start = bench::clock::now();
    loop.restart();
    loop.run();
    return per_second(static_cast<std::size_t>(total), bench::clock::now() - start);
}

/// One coroutine with a window of jobs.
asio::awaitable<void> window(coproc::executor& executor, int total, int in_flight) {
    std::deque<coproc::job<int>> jobs;
    int taken = 0;
    for (int i = 0; i < total || !jobs.empty();) {
        while (i < total && jobs.size() < static_cast<std::size_t>(in_flight)) {
            jobs.push_back(executor.submit(next, i++));
        }
        const coproc::result<int> r = co_await std::move(jobs.front());
        jobs.pop_front();
        if (r.value() != ++taken) {
            std::abort();
        }
    }
}

double windowed(asio::io_context& loop, coproc::executor& executor, int total, int in_flight) {
    asio::co_spawn(loop, window(executor, total, in_flight), [](std::exception_ptr e) {
        if (e) {
            std::rethrow_exception(e);
        }
    });
    const auto start = bench::clock::now();
    loop.restart();
    loop.run();
    return per_second(static_cast<std::size_t>(total), bench::clock::now() - start);
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(),
                     values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

asio::awaitable<void> pin_workers(coproc::executor& executor, int processor) {
    co_await executor.submit(bench::pin, processor);
}

} // namespace

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    bench::report report(argc, argv);
    constexpr int total = 200'000;
    constexpr int rounds = 7;
    bench::pin(0);
    for (const int in_flight : {1, 64, 1000}) {
        const int tasks = in_flight == 1 ? total / 20 : total;
        bench::raw_peer peer(coproc::wire::head_bytes(coproc::wire::task_header{}) + 16,
                             coproc::wire::head_bytes(coproc::wire::reply_header{}) + 16, 1);
        asio::io_context loop(1);
        coproc::executor executor(loop, {.max_workers = 1});
        asio::co_spawn(loop, pin_workers(executor, 1), asio::detached);
        loop.run();
        std::vector<double> raw;
        std::vector<double> many;
        std::vector<double> one;
        for (int round = 0; round < rounds; ++round) {
            const auto start = bench::clock::now();
            peer.stream(static_cast<std::size_t>(tasks), static_cast<std::size_t>(in_flight));
            raw.push_back(per_second(static_cast<std::size_t>(tasks), bench::clock::now() - start));
            many.push_back(coroutines(loop, executor, tasks, in_flight));
            one.push_back(windowed(loop, executor, tasks, in_flight));
        }
        const std::string extra = "\"in_flight\":" + std::to_string(in_flight) + ", \"workers\":1";
        const double floor = median(raw);
        report.add({"throughput", "tasks_per_second", median(many), "tasks/s", floor,
                    median(many) / floor, extra});
        report.add({"throughput", "tasks_per_second_window", median(one), "tasks/s", floor,
                    median(one) / floor, extra});
    }
}
