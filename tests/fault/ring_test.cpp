#include "memory/shared_page.hpp"
#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/shared_mappings.hpp"
#include "wire/frame_writer.hpp"
#include "wire/messages.hpp"

#include <coproc/coproc.hpp>

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

/// Appends a frame with this message, rings, and stays in the task.
template <class Message>
int leave_in_ring(const Message& message) {
    wire::frame_writer writer;
    writer.append(message);
    std::array<std::span<const std::byte>, 4> pieces;
    std::string bytes;
    for (std::size_t i = 0, count = writer.pending(pieces); i < count; ++i) {
        bytes.append(reinterpret_cast<const char*>(pieces[i].data()), pieces[i].size());
    }
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

} // namespace

TEST_CASE("what is no reply does not belong into a reply ring") {
    test::run(costs_its_task(leave_log, "it left something in its ring that is no reply"));
    test::run(costs_its_task(leave_hello, "it left something in its ring that is no reply"));
}

TEST_CASE("a reply to a task that the worker does not have costs its task") {
    test::run(costs_its_task(leave_foreign_reply, "it answered a task that it did not have"));
}
