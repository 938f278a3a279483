// How long does one no-op task take, from submit to its result in the coroutine, with nothing else
// in flight? Floor: a raw socketpair ping-pong of the same bytes, in chunks interleaved with ours.
#include "common/measure.hpp"
#include "common/raw_peer.hpp"
#include "wire/messages.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <coproc/coproc.hpp>

#include <cstdio>
#include <cstdlib>

namespace {

int next(int n) { return n + 1; }

std::size_t request_bytes() { return coproc::wire::head_bytes(coproc::wire::task_header{}) + 16; }
std::size_t reply_bytes() { return coproc::wire::head_bytes(coproc::wire::reply_header{}) + 16; }

struct times {
    bench::samples ours;
    bench::samples floor;
};

asio::awaitable<void> measure(times& out, int worker_processor) {
    constexpr int chunks = 60;
    constexpr int each = 300;
    bench::raw_peer peer(request_bytes(), reply_bytes(), worker_processor);
    const auto loop =
        co_await asio::this_coro::executor; // no aggregate temporary beside a co_await
    coproc::executor executor(loop, {.max_workers = 1});
    co_await executor.submit(bench::pin, worker_processor);
    for (int chunk = -5; chunk < chunks; ++chunk) { // the first few warm up
        for (int i = 0; i < each; ++i) {
            const auto start = bench::clock::now();
            peer.ping();
            const auto end = bench::clock::now();
            if (chunk >= 0) {
                out.floor.add(end - start);
            }
        }
        for (int i = 0; i < each; ++i) {
            const auto start = bench::clock::now();
            const coproc::result<int> r = co_await executor.submit(next, i);
            const auto end = bench::clock::now();
            if (r.value() != i + 1) {
                std::abort();
            }
            if (chunk >= 0) {
                out.ours.add(end - start);
            }
        }
    }
}

/// submit and get from a thread that does not run the loop.
void measure_foreign(times& out, int worker_processor) {
    constexpr int chunks = 30;
    constexpr int each = 200;
    bench::raw_peer peer(request_bytes(), reply_bytes(), worker_processor);
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    executor.submit(bench::pin, worker_processor).get().value();
    for (int chunk = -3; chunk < chunks; ++chunk) {
        for (int i = 0; i < each; ++i) {
            const auto start = bench::clock::now();
            peer.ping();
            if (chunk >= 0) {
                out.floor.add(bench::clock::now() - start);
            }
        }
        for (int i = 0; i < each; ++i) {
            const auto start = bench::clock::now();
            executor.submit(next, i).get().value();
            if (chunk >= 0) {
                out.ours.add(bench::clock::now() - start);
            }
        }
    }
}

void show(bench::report& report, times& t, const char* pinning) {
    for (const auto& [name, part] :
         {std::pair("p50", 0.5), {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1.0}}) {
        const double ours = t.ours.percentile(part);
        const double floor = t.floor.percentile(part);
        report.add({"round_trip", name, ours, "us", floor, ours / floor,
                    std::string("\"pinning\":\"") + pinning + "\""});
    }
}

} // namespace

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    bench::report report(argc, argv);
    for (const auto& [name, worker] : {std::pair("two_cpus", 1), {"one_cpu", 0}}) {
        bench::pin(0);
        times t;
        asio::io_context loop(1);
        asio::co_spawn(loop, measure(t, worker), [](std::exception_ptr e) {
            if (e) {
                std::rethrow_exception(e);
            }
        });
        loop.run();
        show(report, t, name);
    }
    times t;
    measure_foreign(t, 1);
    show(report, t, "foreign_thread");
}
