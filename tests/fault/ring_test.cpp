#include "memory/shared_page.hpp"
#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/shared_mappings.hpp"
#include "wire/frame_writer.hpp"
#include "wire/messages.hpp"

#include <coproc/coproc.hpp>
#include <coproc/progress.hpp>

#include <array>
#include <string>

#include <sys/socket.h>
#include <unistd.h>

// A worker that appends to its reply ring what does not belong there, by the library's own means.

namespace {

using coproc::errc;
namespace memory = coproc::memory;
namespace wire = coproc::wire;

int same(int n) { return n; }

template <class Message>
std::string frame_of(const Message& message, const std::string& payload = {}) {
    wire::frame_writer writer;
    writer.append(message, std::as_bytes(std::span(payload)));
    std::array<std::span<const std::byte>, 4> pieces;
    std::string bytes;
    for (std::size_t i = 0, count = writer.pending(pieces); i < count; ++i) {
        bytes.append(reinterpret_cast<const char*>(pieces[i].data()), pieces[i].size());
    }
    return bytes;
}

/// Appends a frame with this message, rings, and stays in the task.
template <class Message>
int leave_in_ring(const Message& message) {
    const std::string bytes = frame_of(message);
    auto* const page = reinterpret_cast<memory::page_layout*>(test::shared_mappings().at(0).data());
    memory::reply_ring_writer ring(page->ring, page->ring_memory);
    static_cast<void>(ring.append(std::as_bytes(std::span(bytes)), {}));
    static_cast<void>(
        ::send(3, wire::doorbell_frame, sizeof wire::doorbell_frame, MSG_NOSIGNAL)); // the socket
    for (;;) {
        ::pause();
    }
}

int leave_log(int) { return leave_in_ring(wire::log_text{.text = "hear me"}); }
int leave_hello(int) { return leave_in_ring(wire::hello{}); }
int leave_foreign_reply(int) {
    return leave_in_ring(
        wire::reply_header{.sequence = 4711, .outcome = wire::reply_outcome::value, .text = {}});
}

int leave_foreign_progress(int) {
    return leave_in_ring(wire::progress_header{.sequence = 4711, .sink = 0, .skipped = 0});
}
/// The first task of a worker has number 0.
int leave_progress_without_sink(int) {
    return leave_in_ring(wire::progress_header{.sequence = 0, .sink = 0, .skipped = 0});
}

asio::awaitable<void> costs_its_task(int (*function)(int), const char* why) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto got = co_await executor.submit(function, 0);
    REQUIRE(got.has_error());
    INFO(got.error().message());
    CHECK(got.error() == errc::worker_terminated);
    CHECK(got.error().message().find(why) != std::string::npos);
    const auto next = co_await executor.submit(same, 3);
    CHECK(next.value() == 3);
}

/// Sends progress of the running task, past the library's own sinks, without end.
int flood(int, const coproc::progress_sink<std::string>&) {
    auto* const page = reinterpret_cast<memory::page_layout*>(test::shared_mappings().at(0).data());
    memory::reply_ring_writer ring(page->ring, page->ring_memory);
    const std::string payload(1000, 'x');
    for (;;) {
        const auto frame =
            frame_of(wire::progress_header{.sequence = 0, .sink = 0, .skipped = 0}, payload);
        while (ring.append(std::as_bytes(std::span(frame)), {}) == memory::append_result::no_room) {
        }
        static_cast<void>(
            ::send(3, wire::doorbell_frame, sizeof wire::doorbell_frame, MSG_NOSIGNAL));
    }
}

asio::awaitable<void> flood_costs_its_task(coproc::full_policy policy) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    coproc::progress<std::string> values(executor, {.capacity = 4, .when_full = policy});
    const coproc::task_options options{.grace = std::chrono::milliseconds(0)};
    auto job = executor.submit(options, flood, 0, values.sink());
    // The loop goes on all the time, and keeps what was asked for.
    while (values.dropped() < 10'000) {
        co_await test::turn();
    }
    job.cancel();
    const auto got = co_await std::move(job);
    CHECK(got.error() == errc::cancelled);
    std::size_t left = 0;
    while (const auto next = co_await values.async_next()) {
        ++left;
    }
    CHECK(left <= 4);
    const auto next = co_await executor.submit(same, 3);
    CHECK(next.value() == 3);
}

/// A text whose length is longer than the message.
int send_bad_values(int, const coproc::progress_sink<std::string>&) {
    auto* const page = reinterpret_cast<memory::page_layout*>(test::shared_mappings().at(0).data());
    memory::reply_ring_writer ring(page->ring, page->ring_memory);
    for (const std::string& payload : {std::string(8, '\xFF'), std::string(), std::string("abc")}) {
        const auto frame =
            frame_of(wire::progress_header{.sequence = 0, .sink = 0, .skipped = 0}, payload);
        static_cast<void>(ring.append(std::as_bytes(std::span(frame)), {}));
    }
    static_cast<void>(::send(3, wire::doorbell_frame, sizeof wire::doorbell_frame, MSG_NOSIGNAL));
    for (;;) {
        ::pause();
    }
}

asio::awaitable<void> undecodable_values() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    coproc::progress<std::string> values(executor);
    auto job = executor.submit(send_bad_values, 0, values.sink());
    for (int i = 0; i < 3; ++i) {
        const auto next = co_await values.async_next();
        REQUIRE(next);
        CHECK(next->error() == errc::decode_failed);
    }
    job.cancel();
    co_await std::move(job);
}

} // namespace

TEST_CASE("a worker that floods its parent costs no more than its task") {
    test::run(flood_costs_its_task(coproc::full_policy::drop_oldest));
    test::run(flood_costs_its_task(coproc::full_policy::wait));
}

TEST_CASE("values that are none are elements with a failure") { test::run(undecodable_values()); }

TEST_CASE("what is no reply does not belong into a reply ring") {
    test::run(costs_its_task(leave_log, "it left something in its ring that is no reply"));
    test::run(costs_its_task(leave_hello, "it left something in its ring that is no reply"));
}

TEST_CASE("progress of a task that the worker does not have, or of no sink, costs its task") {
    test::run(costs_its_task(leave_foreign_progress,
                             "it reported the progress of a task that it did not have"));
    test::run(costs_its_task(leave_progress_without_sink,
                             "it reported the progress of a task that has no such sink"));
}

TEST_CASE("a reply to a task that the worker does not have costs its task") {
    test::run(costs_its_task(leave_foreign_reply, "it answered a task that it did not have"));
}
