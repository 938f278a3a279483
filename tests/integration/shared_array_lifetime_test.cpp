#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"

#include <coproc/coproc.hpp>
#include <coproc/map.hpp>
#include <coproc/shared_array.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <signal.h>
#include <unistd.h>

// How long the memory of shared arrays stays theirs: as long as somebody may read it, and not
// longer.

namespace {

using coproc::errc;
using coproc::shared_array;
using coproc::shared_buffer;
using namespace std::chrono_literals;

constexpr std::size_t mebibyte = 1024 * 1024;

shared_array<char> filled(coproc::executor& executor, std::size_t count, char with) {
    shared_buffer<char> made(executor, count);
    std::ranges::fill(made.span(), with);
    return made;
}

bool all_are(std::span<const char> array, char with) {
    return std::ranges::all_of(array, [with](char each) { return each == with; });
}

/// Where the next array of this size would lie.
const char* next_place(coproc::executor& executor, std::size_t count) {
    return shared_buffer<char>(executor, count).span().data();
}

char first_of(std::span<const char> array) { return array.front(); }

/// Meets the test, and when it may go on looks at the array: then it meets the test at the second
/// name if nobody has touched it, else at the third.
int look_late(std::span<const char> array, std::string here, std::string same,
              std::string changed) {
    test::visit(here).await_leave();
    test::visit(all_are(array, 'a') ? same : changed).await_leave();
    return 0;
}

/// The task goes on though its caller has its answer, and its array is given up.
asio::awaitable<void> outlived_by_its_task(bool cancel) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting here(loop);
    test::meeting same(loop);
    test::meeting changed(loop);
    constexpr std::size_t size = 100'000;
    const char* place = nullptr;
    std::optional<coproc::job<int>> job;
    {
        const shared_array<char> array = filled(executor, size, 'a');
        place = array.span().data();
        const std::chrono::nanoseconds limit =
            cancel ? std::chrono::nanoseconds(coproc::no_limit) : 50ms;
        const coproc::task_options options{
            .run_timeout = std::chrono::duration_cast<coproc::duration>(limit), .grace = 100s};
        job = executor.submit(options, look_late, array, here.name(), same.name(), changed.name());
    }
    auto task = co_await here.arrival();
    if (cancel) {
        job->cancel();
    }
    const auto ended = co_await *std::move(job);
    CHECK(ended.error() == (cancel ? errc::cancelled : errc::timed_out));
    job.reset();

    // Nobody here has the array; the worker still has.
    const shared_array<char> other = filled(executor, size, 'b');
    CHECK(other.span().data() != place);
    task.close();
    auto late = co_await same.arrival(); // else the test waits in vain
    CHECK(next_place(executor, size) != place);
    late.close();

    // When the worker has answered, the memory is free; a later answer tells that it has.
    auto next = executor.submit(first_of, other);
    const auto first = co_await std::move(next);
    CHECK(first.value() == 'b');
    CHECK(next_place(executor, size) == place);
}

/// For ever.
int deaf(std::span<const char> array, std::string here) {
    test::visit meets(here);
    while (array.front() == 'a') {
    }
    ::abort();
}

asio::awaitable<void> outlived_by_its_worker() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting here(loop);
    constexpr std::size_t size = 100'000;
    shared_array<char> array = filled(executor, size, 'a');
    const char* const place = array.span().data();
    const coproc::task_options at_once{.grace = 0ms};
    auto job = executor.submit(at_once, deaf, std::move(array), here.name());
    CHECK(array.span().empty()); // consumed
    CHECK(next_place(executor, size) != place);
    auto task = co_await here.arrival();
    job.cancel();
    const auto ended = co_await std::move(job);
    CHECK(ended.error() == errc::cancelled);
    // The worker is killed; its successor's answer comes when it is dead and buried, or before.
    const auto end = std::chrono::steady_clock::now() + test::patience;
    while (next_place(executor, size) != place && std::chrono::steady_clock::now() < end) {
        co_await test::turn();
    }
    CHECK(next_place(executor, size) == place);
}

asio::awaitable<void> withdrawn() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting here(loop);
    constexpr std::size_t size = 100'000;
    auto runs = executor.submit(deaf, filled(executor, size, 'a'), here.name());
    auto task = co_await here.arrival();
    // One lies in the pipe behind it, or in the queue.
    shared_array<char> array = filled(executor, size, 'c');
    const char* const place = array.span().data();
    auto waits = executor.submit(first_of, std::move(array));
    waits.cancel(asio::cancellation_type::total);
    const auto ended = co_await std::move(waits);
    CHECK(ended.error() == errc::cancelled);
    CHECK(next_place(executor, size) == place);
    executor.stop();
    const auto stopped = co_await std::move(runs);
    CHECK(stopped.error() == errc::executor_shutdown);
}

asio::awaitable<void> outlives_its_executor() {
    const auto loop = co_await asio::this_coro::executor;
    shared_array<char> array;
    {
        coproc::executor executor(loop, {.max_workers = 1});
        array = filled(executor, 1000, 'x');
        auto job = executor.submit(first_of, array);
        const auto first = co_await std::move(job);
        CHECK(first.value() == 'x');
    }
    CHECK(all_are(array, 'x'));
    coproc::executor another(loop, {.max_workers = 1});
    coproc::executor third(loop, {.max_workers = 1});
    auto one = another.submit(first_of, array);
    auto two = third.submit(first_of, std::move(array));
    const auto first = co_await std::move(one);
    const auto second = co_await std::move(two);
    CHECK(first.value() == 'x');
    CHECK(second.value() == 'x');
}

int die_first(std::span<const char> array, std::string path) {
    if (::access(path.c_str(), F_OK) != 0) {
        std::ofstream(path).close();
        ::raise(SIGKILL);
    }
    return all_are(array, 'r') ? 1 : 0;
}

asio::awaitable<void> for_the_next_worker() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const std::string path = "/tmp/coproc-array-" + std::to_string(::getpid());
    const coproc::task_options again{.retries = 1};
    auto job = executor.submit(again, die_first, filled(executor, 1000, 'r'), path);
    const auto same = co_await std::move(job);
    ::unlink(path.c_str());
    CHECK(same.value() == 1);
}

int process_number(std::span<const char>) { return ::getpid(); }

std::size_t mapped_arrays(int pid) {
    std::size_t found = 0;
    std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
    for (std::string line; std::getline(maps, line);) {
        found += line.find("coproc-arrays") != std::string::npos;
    }
    return found;
}

/// Without a turn of the loop: the worker needs none to let go.
bool comes_to_map(int pid, std::size_t arrays) {
    const auto end = std::chrono::steady_clock::now() + test::patience;
    while (mapped_arrays(pid) != arrays) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        std::this_thread::yield();
    }
    return true;
}

asio::awaitable<void> let_go_by_idle_workers() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const shared_array<char> small = filled(executor, 10, 's');
    shared_array<char> large = filled(executor, 80 * mebibyte, 'l');
    auto job = executor.submit(process_number, small);
    const auto pid = co_await std::move(job);
    CHECK(mapped_arrays(pid.value()) == 1);
    auto with_large = executor.submit(process_number, large);
    co_await std::move(with_large);
    CHECK(mapped_arrays(pid.value()) == 2);
    // The last one goes, while the worker is idle.
    large = {};
    CHECK(comes_to_map(pid.value(), 1));

    // And when the last one was the task's own.
    auto consumed = executor.submit(process_number, filled(executor, 80 * mebibyte, 'l'));
    co_await std::move(consumed);
    CHECK(comes_to_map(pid.value(), 1));
    auto still = executor.submit(first_of, small);
    const auto first = co_await std::move(still);
    CHECK(first.value() == 's');
}

struct named_part {
    std::string name;
    shared_array<char> array;

    char first(int) const { return array.span().front(); }
};

char first_of_vector(const std::vector<named_part>& parts) {
    return parts.front().array.span().front();
}
char first_of_tuple(std::tuple<int, std::optional<shared_array<char>>> parts) {
    return std::get<1>(parts)->span().front();
}
char first_of_aggregate(const named_part& part) { return part.array.span().front(); }

/// What is given away has no array any more, whose memory goes with the task.
template <class Submit>
asio::awaitable<void> consumes(coproc::executor& executor, Submit submit) {
    constexpr std::size_t size = 100'000;
    shared_array<char> array = filled(executor, size, 'g');
    const char* const place = array.span().data();
    auto job = submit(std::move(array));
    const auto first = co_await std::move(job);
    CHECK(first.value() == 'g');
    CHECK((next_place(executor, size) == place)); // not printed as a string
}

asio::awaitable<void> given_away_inside_of_others() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    std::vector<named_part> vector;
    co_await consumes(executor, [&](shared_array<char>&& array) {
        vector.push_back({"v", std::move(array)});
        return executor.submit(first_of_vector, std::move(vector));
    });
    CHECK(vector.empty());
    std::tuple<int, std::optional<shared_array<char>>> tuple;
    co_await consumes(executor, [&](shared_array<char>&& array) {
        tuple = {1, std::move(array)};
        return executor.submit(first_of_tuple, std::move(tuple));
    });
    named_part aggregate;
    co_await consumes(executor, [&](shared_array<char>&& array) {
        aggregate = {"a", std::move(array)};
        return executor.submit(first_of_aggregate, std::move(aggregate));
    });
    CHECK(aggregate.array.span().empty());
    named_part object;
    co_await consumes(executor, [&](shared_array<char>&& array) {
        object = {"o", std::move(array)};
        return executor.submit(&named_part::first, std::move(object), 0);
    });
    CHECK(object.array.span().empty());

    // An lvalue keeps its own.
    const named_part kept{"k", filled(executor, 10, 'k')};
    auto of_kept = executor.submit(first_of_aggregate, kept);
    const auto first = co_await std::move(of_kept);
    CHECK(first.value() == 'k');
    CHECK(kept.array.span().size() == 10);
}

int both_firsts(std::span<const char> common, std::span<const char> own, const std::string&) {
    return 1000 * common.front() + own.front();
}

/// Chunks that end because their message is full.
asio::awaitable<void> given_back_chunk_by_chunk() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .max_message_bytes = 65536});
    constexpr int count = 1000;
    std::set<const char*> places;
    shared_array<char> latest; // each is in two elements that follow each other
    const auto arrays = std::views::iota(0, count) | std::views::transform([&](int i) {
                            if (i % 2 == 0 || latest.span().empty()) {
                                latest = {};
                                latest = filled(executor, 5000, static_cast<char>(i / 2 % 100));
                                places.insert(latest.span().data());
                            }
                            return latest;
                        });
    const std::vector<std::string> fill(count, std::string(2000, 'f')); // some 30 in a message
    auto stream =
        executor.map({.in_flight = 1, .chunk_size = 10'000},
                     coproc::bind_front(both_firsts, filled(executor, 10, 'c')), arrays, fill);
    std::size_t wrong = 0;
    std::size_t seen = 0;
    while (const auto next = co_await stream.async_next(asio::use_awaitable)) {
        const int own = static_cast<int>(next->index) / 2 % 100;
        wrong += !next->has_value() || next->value() != 1000 * 'c' + own;
        ++seen;
    }
    CHECK(seen == count);
    CHECK(wrong == 0);
    CHECK(places.size() < 100); // those of a few chunks, and not all 500
}

} // namespace

TEST_CASE("a cancelled task that goes on keeps its shared array", "[array]") {
    test::run(outlived_by_its_task(true));
}

TEST_CASE("a task that goes on after its time-out keeps its shared array", "[array]") {
    test::run(outlived_by_its_task(false));
}

TEST_CASE("a worker that is killed gives its shared arrays back when it is dead",
          "[array][process]") {
    test::run(outlived_by_its_worker());
}

TEST_CASE("a task that never begins gives its shared array back at once", "[array][process]") {
    test::run(withdrawn());
}

TEST_CASE("a shared array outlives its executor, and serves others", "[array]") {
    test::run(outlives_its_executor());
}

TEST_CASE("a task that is run again finds its shared array", "[array][process]") {
    test::run(for_the_next_worker());
}

TEST_CASE("idle workers let go of the memory of shared arrays", "[array][process]") {
    test::run(let_go_by_idle_workers());
    const std::size_t descriptors = test::open_descriptors(); // one extent is kept
    test::run(let_go_by_idle_workers());
    CHECK(test::descriptors_settle(descriptors));
}

TEST_CASE("an array that is given away inside of something else goes with its task", "[array]") {
    test::run(given_away_inside_of_others());
}

TEST_CASE("a map whose chunks are full gives the arrays of each back", "[array]") {
    test::run(given_back_chunk_by_chunk());
}
