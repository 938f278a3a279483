#include "refusal.hpp"
#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"

#include <coproc/coproc.hpp>
#include <coproc/shared_array.hpp>

#include <asio/steady_timer.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <dlfcn.h>
#include <sys/mman.h>

// What the system does with the memory of shared arrays: it takes its time to take that back, and
// lets only so many descriptors be on their way.

namespace {

using coproc::errc;
using coproc::shared_array;
using coproc::shared_buffer;

/// More than the blocks that are kept, so it is unmapped with its last owner.
constexpr std::size_t large = std::size_t{80} << 20;

std::atomic<coproc::executor*> watched{nullptr};
int unmapped = 0;
int in_the_way = 0;
std::vector<std::thread> lookers;

/// Runs while a large array is being unmapped: may another thread use the executor meanwhile?
void look_from_another_thread(coproc::executor& executor) {
    const auto served = std::make_shared<std::atomic<bool>>(false);
    lookers.emplace_back([served, &executor] {
        static_cast<void>(executor.stats());
        *served = true;
    });
    // If it may not, it waits for us to return.
    const auto end = std::chrono::steady_clock::now() + test::patience / 10;
    while (!*served && std::chrono::steady_clock::now() < end) {
        std::this_thread::yield();
    }
    ++unmapped;
    in_the_way += !*served;
}

} // namespace

extern "C" int munmap(void* address, std::size_t size) noexcept {
    if (coproc::executor* const executor = watched; executor != nullptr && size >= large) {
        look_from_another_thread(*executor);
    }
    static const auto real =
        reinterpret_cast<int (*)(void*, std::size_t)>(::dlsym(RTLD_NEXT, "munmap"));
    return real(address, size);
}

namespace {

shared_array<char> filled(coproc::executor& executor, std::size_t count) {
    shared_buffer<char> made(executor, count);
    made.span().front() = 'x';
    return made;
}

char first_of(std::span<const char> array) { return array.front(); }

/// Until the test lets it go on.
char first_when_asked(std::span<const char> array, std::string here) {
    test::visit(here).await_leave();
    return array.front();
}

asio::awaitable<void> unmapped_without_mutex() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting here(loop);
    const shared_array<char> small = filled(executor, 10);
    watched = &executor;

    auto job = executor.submit(first_of, filled(executor, large));
    const auto first = co_await std::move(job);
    CHECK(first.value() == 'x');
    CHECK(unmapped == 1); // before the handler runs

    // Cancelled, it goes on; one waits behind it that never begins.
    auto runs = executor.submit(first_when_asked, filled(executor, large), here.name());
    auto task = co_await here.arrival();
    auto waits = executor.submit(first_of, filled(executor, large));
    waits.cancel();
    const auto never_begun = co_await std::move(waits);
    CHECK(never_begun.error() == errc::cancelled);
    CHECK(unmapped == 2);
    runs.cancel();
    const auto given_up = co_await std::move(runs);
    CHECK(given_up.error() == errc::cancelled);
    CHECK(unmapped == 2);
    task.close();
    auto next = executor.submit(first_of, small);
    const auto later = co_await std::move(next);
    CHECK(later.value() == 'x');
    CHECK(unmapped == 3);

    // And what runs when the executor is stopped, or its worker dies.
    auto stopped = executor.submit(first_when_asked, filled(executor, large), here.name());
    auto again = co_await here.arrival();
    executor.stop();
    const auto ended = co_await std::move(stopped);
    CHECK(ended.error() == errc::executor_shutdown);
    while (unmapped < 4) { // when the worker is reaped
        co_await test::turn();
    }
    watched = nullptr;
}

asio::awaitable<void> too_many_on_their_way() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const shared_array<char> array = filled(executor, 10);
    const auto no_array = co_await executor.submit([] { return 1; });
    CHECK(no_array.value() == 1);
    int tries = 0;
    {
        const test::refusal refused(test::call::send_descriptor, ETOOMANYREFS);
        auto job = executor.submit(first_of, array);
        asio::steady_timer timer(loop, std::chrono::milliseconds(100));
        co_await timer.async_wait(asio::use_awaitable);
        CHECK(job.state() != coproc::job_state::done);
        tries = refused.count();
        job.cancel();
    }
    CHECK(tries > 0);
    CHECK(tries < 100); // the socket is writable all the time
    auto job = executor.submit(first_of, array);
    const auto first = co_await std::move(job);
    CHECK(first.value() == 'x');
}

} // namespace

TEST_CASE("while the memory of an array is unmapped, other threads may use the executor") {
    test::run(unmapped_without_mutex());
    for (std::thread& each : lookers) {
        each.join();
    }
    CHECK(in_the_way == 0);
}

TEST_CASE("a descriptor that may not be sent now is sent later, and nobody spins") {
    test::run(too_many_on_their_way());
}
