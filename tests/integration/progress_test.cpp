#include "integration/progress_tasks.hpp"
#include "support/catch.hpp"

#include <coproc/map.hpp>

#include <asio/steady_timer.hpp>

#include <limits>
#include <optional>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// Progress and partial results of tasks that run: what may be reported, from where, and who reads
// it.

namespace {

using coproc::errc;
using coproc::full_policy;
using coproc::progress;
using coproc::progress_options;
using coproc::progress_sink;
using namespace test::reports;

asio::awaitable<void> in_order_before_the_result() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    progress<int> numbers(executor, roomy);
    auto job = executor.submit(count_to, 5000, numbers.sink());
    int next = 0;
    while (auto n = co_await numbers.async_next()) {
        CHECK(n->index == static_cast<std::size_t>(next));
        CHECK(n->value() == next++);
    }
    CHECK(next == 5000);
    CHECK(job.ready()); // it ends with the task
    CHECK(numbers.ended());
    CHECK(numbers.dropped() == 0);
    const auto got = co_await std::move(job);
    CHECK(got.value() == 5000);

    // A sink that is made later opens it again.
    auto again = executor.submit(count_to, 2, numbers.sink());
    CHECK_FALSE(numbers.ended());
    const auto more = co_await read_all(numbers);
    CHECK(more == numbers_to(2));
    co_await std::move(again);
}

struct stage {
    std::string name;
    double done = 0;
    std::vector<int> parts = {};
};

struct instructions {
    int count = 0;
    progress_sink<stage> sink;
};

int report_stages(const instructions& how) {
    for (int i = 0; i < how.count; ++i) {
        const stage s{std::string(static_cast<std::size_t>(i), 'x'), i / 10.0, {i, i + 1}};
        how.sink(s);
    }
    return how.count;
}

int report_words(progress_sink<std::string> words, progress_sink<int> numbers) {
    words("one");
    numbers(1);
    words("");
    numbers(2);
    words(std::string(1000, 'w'));
    return 0;
}

asio::awaitable<void> of_all_types() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    progress<stage> stages(loop);
    {
        const instructions how{4, stages.sink()};
        auto job = executor.submit(report_stages, how);
        co_await std::move(job);
    }
    for (int i = 0; i < 4; ++i) {
        const auto next = co_await stages.async_next();
        REQUIRE(next);
        CHECK(next->value().name.size() == static_cast<std::size_t>(i));
        CHECK(next->value().done == i / 10.0);
        CHECK((next->value().parts == std::vector<int>{i, i + 1}));
    }
    const auto end = co_await stages.async_next();
    CHECK_FALSE(end);

    progress<std::string> words(loop);
    progress<int> numbers(loop);
    auto job = executor.submit(report_words, words.sink(), numbers.sink());
    std::vector<std::string> read;
    while (auto word = co_await words.async_next()) {
        read.push_back(word->value());
    }
    CHECK((read == std::vector<std::string>{"one", "", std::string(1000, 'w')}));
    const auto counted = co_await read_all(numbers);
    CHECK((counted == std::vector<int>{1, 2}));
    co_await std::move(job);
}

asio::awaitable<void> from_several_tasks() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    coproc::executor other(loop, {.max_workers = 1});
    progress<int> numbers(loop, roomy);
    std::vector<coproc::job<int>> jobs;
    for (int i = 0; i < 10; ++i) {
        auto& where = i % 3 == 0 ? other : executor;
        jobs.push_back(where.submit(count_to, 100, numbers.sink()));
    }
    const auto all = co_await read_all(numbers);
    for (int i = 0; i < 100; ++i) {
        CHECK(std::ranges::count(all, i) == 10);
    }
    for (auto& job : jobs) {
        CHECK(job.ready());
        co_await std::move(job);
    }

    // And from those of a map, which holds a sink until its range has ended.
    auto squares = executor.map(coproc::bind_front(
                                    [](const progress_sink<int>& sink, int n) {
                                        sink(n);
                                        return n * n;
                                    },
                                    numbers.sink()),
                                std::views::iota(0, 20));
    const auto got = co_await std::move(squares).async_collect();
    CHECK(got.value().at(19) == 361);
    const auto reported = co_await read_all(numbers);
    CHECK((std::set<int>(reported.begin(), reported.end()).size() == 20));
}

/// Cannot be encoded, or not be decoded.
struct awkward {
    int how = 0;
};

} // namespace

template <>
struct coproc::codec<awkward> {
    static void encode(encoder& out, const awkward& value) {
        if (value.how == 1) {
            throw std::domain_error("it will not be told");
        }
        out.write(value.how);
    }
    static awkward decode(decoder& in) {
        const awkward value{in.read<int>()};
        if (value.how == 2) {
            throw std::domain_error("it is not understood");
        }
        return value;
    }
};

namespace {

int report_awkward(int how, const progress_sink<awkward>& sink) {
    sink({0});
    sink({how});
    sink({0});
    return how;
}

int report_awkward_and_catch(const progress_sink<awkward>& sink) {
    try {
        sink({1});
    } catch (const std::domain_error&) {
        sink({7});
    }
    return 0;
}

asio::awaitable<void> codecs_that_throw() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    progress<awkward> values(executor);
    auto job = executor.submit(report_awkward, 1, values.sink());
    std::size_t read = 0;
    while (auto next = co_await values.async_next()) {
        CHECK(next->has_value());
        ++read;
    }
    CHECK(read == 1);
    const auto threw = co_await std::move(job);
    CHECK(threw.error() == errc::task_threw);
    CHECK_THROWS_AS(threw.value(), std::domain_error);

    auto second = executor.submit(report_awkward, 2, values.sink());
    std::vector<bool> good;
    std::string why;
    while (auto next = co_await values.async_next()) {
        good.push_back(next->has_value());
        if (!*next) {
            CHECK(next->error() == errc::decode_failed);
            why = next->error().message();
        }
    }
    CHECK((good == std::vector<bool>{true, false, true}));
    CHECK(why.find("it is not understood") != std::string::npos);
    const auto fine = co_await std::move(second);
    CHECK(fine.value() == 2);

    auto third = executor.submit(report_awkward_and_catch, values.sink());
    const auto caught = co_await values.async_next();
    CHECK(caught->value().how == 7);
    co_await std::move(third);
}

int pass_on(const progress_sink<int>& sink) {
    coproc::executor mine(coproc::own_thread, {.max_workers = 1});
    return static_cast<int>(mine.submit(count_to, 1, sink).get().error().code().value());
}

asio::awaitable<void> sinks_travel_as_arguments_only() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    progress<int> numbers(executor);
    auto sink = numbers.sink();
    CHECK_THROWS_AS(sink(1), std::logic_error);
    const auto passed = co_await executor.submit(pass_on, sink);
    CHECK(passed.value() == static_cast<int>(errc::encode_failed));

    // Moved into a submit it is gone, otherwise not.
    const auto kept = co_await executor.submit(count_to, 1, sink);
    CHECK(kept.has_value());
    CHECK_FALSE(numbers.ended());
    const auto one = co_await numbers.async_next();
    CHECK(one->value() == 0);
    const auto consumed = co_await executor.submit(count_to, 1, std::move(sink));
    CHECK(consumed.has_value());
    const auto rest = co_await read_all(numbers);
    CHECK(rest.size() == 1);
    // NOLINTNEXTLINE(bugprone-use-after-move): that is what is tested
    const auto empty = co_await executor.submit(count_to, 1, sink);
    CHECK(empty.error() == errc::encode_failed);

    // More than a task may have, and one that is there many times.
    std::vector<progress<int>> others;
    std::vector<progress_sink<int>> many;
    for (int i = 0; i < 17; ++i) {
        others.emplace_back(executor);
        many.push_back(others.back().sink());
    }
    const auto too_many = co_await executor.submit(
        [](const std::vector<progress_sink<int>>& all) { return all.size(); }, many);
    CHECK(too_many.error() == errc::encode_failed);
    many.assign(16, numbers.sink());
    auto most = executor.submit(
        [](const std::vector<progress_sink<int>>& all) {
            for (int i = 0; i < static_cast<int>(all.size()); ++i) {
                all[static_cast<std::size_t>(i)](i);
            }
            return all.size();
        },
        many);
    many.clear();
    const auto all = co_await read_all(numbers);
    CHECK(all == numbers_to(16));
    co_await std::move(most);
}

/// Reports from threads of its own, and once more after its end.
int report_from_threads(int n, const progress_sink<int>& sink) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&sink, n] {
            for (int i = 0; i < n; ++i) {
                sink(i);
            }
        });
    }
    for (std::thread& t : threads) {
        t.join();
    }
    return n;
}

std::optional<progress_sink<int>> kept_sink;

int keep_sink(progress_sink<int> sink) {
    sink(1);
    kept_sink.emplace(std::move(sink));
    return 0;
}

int use_kept_sink() {
    (*kept_sink)(2);
    kept_sink.reset();
    return 0;
}

asio::awaitable<int> report_in_coroutine(progress_sink<int> sink) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (int i = 0; i < 3; ++i) {
        timer.expires_after(std::chrono::microseconds(10));
        co_await timer.async_wait(asio::use_awaitable);
        sink(i);
    }
    co_return 3;
}

asio::awaitable<void> from_all_kinds_of_code() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    for (const full_policy policy : {full_policy::drop_oldest, full_policy::wait}) {
        progress<int> numbers(executor, {.capacity = 1000, .when_full = policy});
        auto job = executor.submit(report_from_threads, 100, numbers.sink());
        const auto all = co_await read_all(numbers);
        CHECK(all.size() == 300);
        CHECK(numbers.dropped() == 0);
        co_await std::move(job);

        auto coroutine = executor.submit(report_in_coroutine, numbers.sink());
        const auto three = co_await read_all(numbers);
        CHECK(three == numbers_to(3));
        co_await std::move(coroutine);

        // After the task's end a sink does nothing.
        co_await executor.submit(keep_sink, numbers.sink());
        co_await executor.submit(use_kept_sink);
        const auto one = co_await read_all(numbers);
        CHECK((one == std::vector<int>{1}));
    }
}

} // namespace

TEST_CASE("progress arrives in order and before the end of the task", "[progress]") {
    test::run(in_order_before_the_result());
}

TEST_CASE("progress is made of any type that has a codec", "[progress]") {
    test::run(of_all_types());
}

TEST_CASE("several tasks report to one progress", "[progress]") { test::run(from_several_tasks()); }

TEST_CASE("codecs of reported values may throw on both sides", "[progress]") {
    test::run(codecs_that_throw());
}

TEST_CASE("sinks travel as arguments of submit only", "[progress]") {
    test::run(sinks_travel_as_arguments_only());
}

TEST_CASE("threads and coroutines of a task report, too", "[progress]") {
    test::run(from_all_kinds_of_code());
}

TEST_CASE("a thread may block for progress, but not that of the loop", "[progress]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    progress<int> numbers(executor, waiting);
    auto job = executor.submit(count_to, 50, numbers.sink());
    int read = 0;
    while (auto next = numbers.next()) {
        CHECK(next->value() == read++);
    }
    CHECK(read == 50);
    CHECK(std::move(job).get().value() == 50);

    asio::io_context loop;
    progress<int> here(loop);
    const auto sink = here.sink();
    bool refused = false;
    asio::post(loop, [&] {
        try {
            here.next();
        } catch (const coproc::failed& error) {
            refused = error.code() == errc::would_deadlock;
        }
    });
    test::run(loop);
    CHECK(refused);
}

TEST_CASE("blocking on the loop of a task that reports to another loop's progress is refused",
          "[progress]") {
    asio::io_context loop;
    asio::io_context other;
    coproc::executor executor(loop, {.max_workers = 1});
    progress<int> numbers(other);
    auto job = executor.submit(count_to, 1, numbers.sink());
    std::error_code code;
    asio::post(loop, [&] {
        try {
            numbers.next();
        } catch (const coproc::failed& error) {
            code = error.code();
        }
    });
    test::run(loop);
    CHECK(code == errc::would_deadlock);
    CHECK(numbers.next()->value() == 0); // nothing is lost
    CHECK_FALSE(numbers.next());
    CHECK(std::move(job).get().value() == 1);
}

TEST_CASE("a progress may live on another loop than its tasks", "[progress]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    std::vector<int> read;
    asio::io_context loop;
    progress<int> numbers(loop, roomy);
    auto job = executor.submit(count_to, 1000, numbers.sink());
    test::run(loop, [](progress<int>& from, std::vector<int>& to) -> asio::awaitable<void> {
        to = co_await read_all(from); // it keeps the loop at work
    }(numbers, read));
    CHECK(read == numbers_to(1000));
    CHECK(std::move(job).get().value() == 1000);
}

TEST_CASE("options of a progress are refused where they are given", "[progress]") {
    asio::io_context loop;
    const auto why = [&](progress_options options) {
        try {
            progress<int> refused(loop, options);
        } catch (const std::invalid_argument& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(why({.capacity = 0}).find("progress_options::capacity") != std::string::npos);
    CHECK(why({.capacity = std::numeric_limits<std::size_t>::max()}).find("capacity") !=
          std::string::npos);
    CHECK(why({.when_full = static_cast<full_policy>(9)}).find("progress_options::when_full") !=
          std::string::npos);
    CHECK(why({.capacity = 1}).empty());
    CHECK_THROWS_AS(progress<int>(asio::any_io_executor()), std::invalid_argument);
}
