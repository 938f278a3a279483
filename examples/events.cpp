// What happens in an executor, printed as it happens.
#include <asio.hpp>
#include <coproc/coproc.hpp>
#include <coproc/event.hpp>

#include <cstdlib>
#include <iostream>
#include <stdexcept>

int twice(int n) { return 2 * n; } // these run in a worker
int crash(int) { std::abort(); }
int fail(int) { throw std::runtime_error("no such number"); }

std::ostream& operator<<(std::ostream& out, const coproc::observed_worker& w) {
    return out << "worker " << w.number << " (slot " << w.slot << ")";
}

/// A line for each event; what has none here prints nothing.
struct printer {
    int crashes = 0;
    int failures = 0;

    void operator()(const coproc::worker_ready& e) { std::cout << e.worker << " is ready\n"; }
    void operator()(const coproc::worker_crashed& e) {
        ++crashes;
        std::cout << e.worker << " crashes\n";
    }
    void operator()(const coproc::worker_ended& e) {
        std::cout << e.worker << " has ended";
        if (e.signal) {
            std::cout << " by signal " << *e.signal;
        }
        std::cout << '\n';
    }
    void operator()(const coproc::task_queued& e) {
        std::cout << "task " << e.task.id << " '" << e.task.name << "' waits\n";
    }
    void operator()(const coproc::task_staged& e) {
        std::cout << "task " << e.task.id << " is given to " << e.worker << '\n';
    }
    void operator()(const coproc::task_done& e) {
        std::cout << "task " << e.task.id << (e.error ? " has failed\n" : " is done\n");
    }
    void operator()(const coproc::detached_failed& e) {
        ++failures;
        std::cout << "nobody waits for it: " << e.why << '\n';
    }
    template <class Other>
    void operator()(const Other&) {}
};

asio::awaitable<void> run(printer& print) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor workers(loop, {.max_workers = 1, .observer = [&](const coproc::event& e) {
                                        std::visit(print, e);
                                    }});
    workers.submit({.name = "fire and forget"}, fail, 7).detach();
    for (auto f : {twice, crash, twice}) {
        auto r = co_await workers.submit({.name = "a number"}, f, 21);
        std::cout << (r ? std::to_string(r.value()) : "no number") << '\n';
    }
    co_await workers.async_shutdown({}, asio::use_awaitable); // what it does is told, too
}

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    asio::io_context loop;
    printer print;
    asio::co_spawn(loop, run(print), asio::detached);
    loop.run();
    return print.crashes == 1 && print.failures == 1 ? 0 : 1;
}
