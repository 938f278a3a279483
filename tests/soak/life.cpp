#include "soak/life.hpp"

#include "soak/tasks.hpp"

#include <coproc/event.hpp>
#include <coproc/map.hpp>
#include <coproc/shared_array.hpp>

#include <asio/experimental/awaitable_operators.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <csignal>
#include <optional>
#include <ranges>
#include <utility>
#include <variant>
#include <vector>

namespace soak {
namespace {

using coproc::errc;
using namespace std::chrono_literals;

/// Codes that a result may have besides its value.
using codes = std::set<errc>;

/// More than what leaks may come to.
constexpr std::size_t hard_limit = 100'000'000;

class life {
public:
    life(std::uint64_t seed, tally& all) : random_(seed), all_(all) {}

    asio::awaitable<void> run();

private:
    int any(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
    bool one_in(int n) { return any(n) == 0; }

    coproc::executor_options options();
    void observe(const coproc::event&);
    asio::awaitable<void> client(coproc::executor& executor);
    asio::awaitable<void> one_task(coproc::executor& executor);
    asio::awaitable<void> one_map(coproc::executor& executor);
    asio::awaitable<void> one_cancelled(coproc::executor& executor);
    asio::awaitable<void> one_with_array(coproc::executor& executor);
    asio::awaitable<void> one_that_takes_too_much(coproc::executor& executor);
    asio::awaitable<void> one_with_inner_executor(coproc::executor& executor);
    coproc::shared_array<int> some_array(coproc::executor& executor);
    asio::awaitable<void> meddle(coproc::executor& executor);
    asio::awaitable<void> end(coproc::executor& executor);
    asio::awaitable<void> sleep(int milliseconds);

    template <class F, class... Args>
    auto submit(coproc::executor& executor, const coproc::task_options& options, F function,
                Args... args) {
        ++all_.submitted;
        return executor.submit(options, function, std::move(args)...);
    }

    template <class R>
    void check(const coproc::result<R>& got, const std::optional<R>& wanted, const codes& allowed,
               const char* what) {
        if (got) {
            ++all_.values;
            if (!wanted || *wanted != got.value()) {
                complain(std::string(what) + ": a wrong value");
            }
            return;
        }
        const auto code = static_cast<errc>(got.error().code().value());
        ++all_.failures[code];
        if (!allowed.contains(code) && !always_possible(got.error(), code)) {
            complain(std::string(what) + ": " + got.error().message());
        }
    }

    /// What others do to the executor and its workers.
    bool always_possible(const coproc::failure& why, errc code) const {
        return (code == errc::executor_shutdown && stopped_) ||
               (code == errc::out_of_memory && has_hard_limit_) ||
               (code == errc::worker_terminated &&
                why.certainty() != coproc::certainty::not_started);
    }

    void complain(std::string what) {
        if (all_.wrong++ == 0) {
            all_.first_wrong = std::move(what);
        }
    }

    std::mt19937_64 random_;
    tally& all_;
    std::set<int> pids_; // of workers that are not reaped
    std::vector<coproc::shared_array<int>> arrays_;
    bool has_hard_limit_ = false;
    bool stopped_ = false;
};

coproc::executor_options life::options() {
    coproc::executor_options made{.max_workers = static_cast<std::size_t>(1 + any(4))};
    made.start = one_in(3) ? coproc::start_method::forkserver : coproc::start_method::exec;
    if (one_in(3)) {
        made.idle_timeout = std::chrono::milliseconds(1 + any(20));
    }
    if (one_in(4)) {
        made.min_workers = 1;
    }
    if (one_in(4)) {
        made.max_tasks_per_worker = static_cast<std::size_t>(1 + any(20));
    }
    if (one_in(4)) {
        made.max_worker_age = std::chrono::milliseconds(20 + any(200));
    }
    made.initializers = {coproc::call(load, 7), coproc::call(leave_so, any(10))};
    made.exit_timeout = 200ms;
    made.max_failed_starts = 1000; // some are killed while they start
    made.leak = {.period = 50ms, .max_growth = 20'000'000};
    has_hard_limit_ = one_in(4);
    if (has_hard_limit_) {
        made.leak.hard = hard_limit;
    }
    made.capture_output = one_in(4);
    made.observer = [this](const coproc::event& e) { observe(e); };
    return made;
}

void life::observe(const coproc::event& e) {
    if (const auto* started = std::get_if<coproc::worker_started>(&e)) {
        ++all_.workers;
        if (!stopped_) { // of those that stop() kills nobody says when they are reaped
            pids_.insert(started->worker.pid);
        }
    } else if (const auto* ended = std::get_if<coproc::worker_ended>(&e)) {
        pids_.erase(ended->worker.pid);
    }
}

asio::awaitable<void> life::sleep(int milliseconds) {
    asio::steady_timer timer(co_await asio::this_coro::executor,
                             std::chrono::milliseconds(milliseconds));
    asio::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<void> life::one_task(coproc::executor& executor) {
    const int n = any(1000);
    switch (any(10)) {
    case 0: {
        const auto got = co_await submit(executor, {}, end_process, n);
        check(got, std::optional<int>(), {errc::worker_terminated}, "a crash");
        break;
    }
    case 1: {
        const auto got = co_await submit(executor, {}, refuse, n);
        check(got, std::optional<int>(), {errc::task_threw}, "a throw");
        break;
    }
    case 2: {
        const auto got = co_await submit(executor, {}, leak, std::size_t{2'000'000});
        if (got) {
            ++all_.values; // whatever worker it was
        } else {
            check(got, std::optional<int>(), {}, "a leak");
        }
        break;
    }
    case 3: {
        const coproc::task_options limited{.run_timeout = 5ms, .grace = 5ms};
        const auto got = co_await submit(executor, limited, work, 2000, one_in(2));
        check(got, std::optional<int>(), {errc::timed_out}, "a task that takes too long");
        break;
    }
    case 4: {
        const std::string text(static_cast<std::size_t>(n) * 2000, 'e');
        const auto got = co_await submit(executor, {}, echo, text);
        check(got, std::optional<std::string>(text), {}, "an echo");
        break;
    }
    case 5: {
        const coproc::task_options again{.retries = 3};
        const auto got = co_await submit(executor, again, twice, n);
        check(got, std::optional<int>(2 * n), {}, "a task with retries");
        break;
    }
    case 6: {
        const auto got = co_await submit(executor, {}, retire_sometimes, n);
        check(got, std::optional<int>(n), {}, "a task that retires its worker");
        break;
    }
    case 7: {
        const auto got = co_await submit(executor, {}, loaded);
        check(got, std::optional<int>(7), {}, "what an initializer made");
        break;
    }
    default: {
        const coproc::task_options options{.timeout = 30s, .priority = any(3)};
        const auto got = co_await submit(executor, options, twice, n);
        check(got, std::optional<int>(2 * n), {}, "a task");
    }
    }
}

asio::awaitable<void> life::one_map(coproc::executor& executor) {
    const coproc::map_options options{.in_flight = static_cast<std::size_t>(any(8)),
                                      .chunk_size = static_cast<std::size_t>(any(6))};
    auto doubled = executor.map(options, twice, std::views::iota(0, 40));
    while (const auto next = co_await doubled.async_next(asio::use_awaitable)) {
        ++all_.submitted;
        const std::optional<int> wanted(2 * static_cast<int>(next->index));
        check<int>(*next, wanted, {}, "an element of a map");
        if (one_in(100)) {
            co_return; // and lets the stream go
        }
    }
}

asio::awaitable<void> life::one_cancelled(coproc::executor& executor) {
    const coproc::task_options options{.grace = std::chrono::milliseconds(any(5))};
    auto job = submit(executor, options, work, any(30), one_in(2));
    if (one_in(3)) {
        ++all_.unseen;
        if (one_in(2)) {
            std::move(job).detach();
        }
        co_return; // else it is dropped
    }
    co_await sleep(any(10));
    job.cancel();
    const auto got = co_await std::move(job);
    if (got) {
        ++all_.values;
    } else {
        check(got, std::optional<int>(), {errc::cancelled}, "a cancelled task");
    }
}

/// Most lie in a block with others, some in one of their own.
coproc::shared_array<int> life::some_array(coproc::executor& executor) {
    if (arrays_.empty() || one_in(3)) {
        const int count = one_in(20) ? 17'000'000 + any(1000) : 2 + any(50'000);
        coproc::shared_buffer<int> made(executor, static_cast<std::size_t>(count));
        made.span().front() = any(1000);
        made.span().back() = any(1000);
        if (arrays_.size() == 4) {
            arrays_.erase(arrays_.begin());
        }
        arrays_.emplace_back(std::move(made));
    }
    return arrays_[static_cast<std::size_t>(any(static_cast<int>(arrays_.size())))];
}

asio::awaitable<void> life::one_with_array(coproc::executor& executor) {
    coproc::shared_array<int> array = some_array(executor);
    const std::optional<int> wanted(array.span().front() + array.span().back());
    switch (any(4)) {
    case 0: {
        const coproc::task_options again{.retries = 3};
        const auto got = co_await submit(executor, again, ends_of, std::move(array));
        check(got, wanted, {}, "a task with an array");
        break;
    }
    case 1: {
        std::vector<coproc::shared_array<int>> several{some_array(executor), std::move(array)};
        const auto got = co_await submit(executor, {}, ends_of_last, std::move(several));
        check(got, wanted, {}, "a task with several arrays");
        break;
    }
    case 2: { // goes on for a while when its job and its array are gone
        const coproc::task_options patient{.grace = std::chrono::milliseconds(any(10))};
        auto job = submit(executor, patient, ends_later, std::move(array), any(20));
        co_await sleep(any(10));
        job.cancel();
        const auto got = co_await std::move(job);
        check(got, wanted, {errc::cancelled}, "a cancelled task with an array");
        break;
    }
    default: {
        const std::vector<coproc::shared_array<int>> several(20, array);
        const coproc::map_options options{.in_flight = static_cast<std::size_t>(any(8)),
                                          .chunk_size = static_cast<std::size_t>(any(6))};
        auto all = executor.map(options, ends_of, several);
        while (const auto next = co_await all.async_next(asio::use_awaitable)) {
            ++all_.submitted;
            check<int>(*next, wanted, {}, "an element with an array");
        }
    }
    }
}

asio::awaitable<void> life::one_that_takes_too_much(coproc::executor& executor) {
    const coproc::task_options limited{.run_timeout = 60s};
    const auto got = co_await submit(executor, limited, take_and_stay, hard_limit * 3 / 2);
    check(got, std::optional<int>(-1), {errc::out_of_memory}, "a task that takes too much");
}

/// What the inner one had must be gone, whatever becomes of the worker that it lives in.
asio::awaitable<void> life::one_with_inner_executor(coproc::executor& executor) {
    const int n = any(1000);
    const coproc::task_options limited{.run_timeout = std::chrono::milliseconds(20 + any(200)),
                                       .grace = 5ms};
    const auto got = co_await submit(executor, limited, twice_within, n);
    check(got, std::optional<int>(2 * n), {errc::timed_out}, "a task with an executor of its own");
}

asio::awaitable<void> life::client(coproc::executor& executor) {
    for (int left = 10 + any(40); left > 0; --left) {
        if (one_in(12)) {
            co_await one_map(executor);
        } else if (one_in(8)) {
            co_await one_with_array(executor);
        } else if (has_hard_limit_ && one_in(40)) {
            co_await one_that_takes_too_much(executor);
        } else if (one_in(40)) {
            co_await one_with_inner_executor(executor);
        } else if (one_in(6)) {
            co_await one_cancelled(executor);
        } else {
            co_await one_task(executor);
        }
    }
}

/// Until it is cancelled.
asio::awaitable<void> life::meddle(coproc::executor& executor) {
    const bool stops = one_in(8);
    for (;;) {
        asio::steady_timer timer(co_await asio::this_coro::executor,
                                 std::chrono::milliseconds(1 + any(30)));
        co_await timer.async_wait(asio::use_awaitable);
        switch (any(4)) {
        case 0:
            executor.resize(static_cast<std::size_t>(1 + any(5)));
            break;
        case 1:
            if (!pids_.empty()) { // known to be unreaped, if it is not in these very events
                ::kill(*pids_.begin(), one_in(2) ? SIGKILL : SIGTERM);
            }
            break;
        case 2:
            if (stops && one_in(4)) {
                stopped_ = true;
                executor.stop();
                pids_.clear();
            }
            break;
        default:
            break;
        }
    }
}

asio::awaitable<void> life::end(coproc::executor& executor) {
    stopped_ = true;
    switch (any(5)) {
    case 0:
        co_await executor.async_shutdown({}, asio::use_awaitable);
        break;
    case 1:
        co_await executor.async_shutdown({.mode = coproc::shutdown_mode::cancel_queued},
                                         asio::use_awaitable);
        break;
    case 2:
        co_await executor.async_shutdown({.mode = coproc::shutdown_mode::kill},
                                         asio::use_awaitable);
        break;
    case 3:
        executor.stop();
        break;
    default:
        break; // destroyed as it is
    }
}

asio::awaitable<void> life::run() {
    using namespace asio::experimental::awaitable_operators;
    ++all_.executors;
    coproc::executor executor(co_await asio::this_coro::executor, options());
    co_await ((client(executor) && client(executor) && client(executor)) || meddle(executor));
    co_await end(executor);
}

} // namespace

asio::awaitable<void> live(std::uint64_t seed, tally& all) {
    life one(seed, all);
    co_await one.run();
}

} // namespace soak
