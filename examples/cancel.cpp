// Takes back what was submitted: by its job, by a stop token, by dropping it, by a signal.
#include <asio.hpp>
#include <coproc/coproc.hpp>

#include <atomic>
#include <iostream>

using namespace std::chrono_literals;

/// Runs in a worker. When it is asked to stop, it gives what it has.
std::uint64_t count_odd(std::stop_token stop, std::uint64_t from) {
    std::uint64_t odd = 0;
    for (std::uint64_t n = from; !stop.stop_requested(); ++n) {
        odd += n % 2;
    }
    return odd;
}

std::uint64_t deaf(std::uint64_t n) { // asks nobody; this_task::stop_requested() would do, too
    for (std::atomic<std::uint64_t> i = n;; ++i) {
    }
}

asio::awaitable<void> begin(const coproc::job<std::uint64_t>& job) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (job.state() == coproc::job_state::queued) {
        timer.expires_after(1ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<void> run(int& wrong) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor workers(loop, {.max_workers = 1});
    const auto told = [&wrong](const char* what, const coproc::result<std::uint64_t>& r) {
        std::cout << what << ": " << r.error() << '\n';
        wrong += r.error() != coproc::errc::cancelled;
    };

    // Partial: the task is asked to stop, and its result is what it then returns.
    auto job = workers.submit({.grace = 1h}, count_odd, 0);
    co_await begin(job);
    job.cancel(asio::cancellation_type::partial);
    auto r = co_await std::move(job);
    std::cout << "partial: " << r.value() << " odd numbers so far\n";

    // Terminal, as Asio's operators do it: the answer is there at once, the worker stays.
    job = workers.submit({.grace = 1h}, count_odd, 0);
    co_await begin(job);
    job.cancel();
    wrong += !job.ready();
    r = co_await std::move(job);
    told("terminal", r);

    // What does not listen costs its worker. What waits behind it runs in the next one.
    job = workers.submit({.grace = 10ms}, deaf, 1);
    auto behind = workers.submit({.grace = 1h}, count_odd, 2);
    { auto dropped = workers.submit(deaf, 3); } // it has not begun, and never will
    co_await begin(job);
    asio::cancellation_signal signal;
    std::move(job)(asio::bind_cancellation_slot(
        signal.slot(), [&](coproc::result<std::uint64_t> late) { told("by signal", late); }));
    signal.emit(asio::cancellation_type::terminal);
    co_await begin(behind);
    behind.cancel(asio::cancellation_type::total); // it runs, so it is left alone
    wrong += behind.ready();
    behind.cancel(asio::cancellation_type::partial);
    r = co_await std::move(behind);
    wrong += !r || workers.stats().crashed_workers != 0 || workers.stats().started_workers != 2;
}

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    asio::io_context loop;
    int wrong = 0;
    asio::co_spawn(loop, run(wrong), [&](std::exception_ptr error) { wrong += error != nullptr; });
    loop.run();
    return wrong;
}
