#include "support/catch.hpp"
#include "support/loop.hpp"
#include "wire/frame.hpp"

#include <coproc/codecs/string.hpp>
#include <coproc/coproc.hpp>

#include <fstream>
#include <string>

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

// There is no memory in this process for what a worker answers, or in that for what it is sent.

namespace {

using coproc::certainty;
using coproc::errc;
namespace wire = coproc::wire;

constexpr std::size_t size = std::size_t{512} << 20;

int same(int n) { return n; }

/// Sends a message of that size over the worker's socket, out of turn.
int interrupt(int) {
    wire::frame_header header{};
    header.envelope_bytes = 8;
    header.payload_bytes = size;
    static_cast<void>(::send(3, &header, sizeof header, MSG_NOSIGNAL));
    const std::string some(1 << 20, 'x');
    for (;;) {
        static_cast<void>(::send(3, some.data(), some.size(), MSG_NOSIGNAL));
    }
}

std::string much(int) { return std::string(size, 'x'); }

/// Bytes of private memory that this process has, as RLIMIT_DATA counts them.
std::size_t data_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        if (word == "VmData:") {
            std::size_t kilobytes = 0;
            status >> kilobytes;
            return kilobytes * 1024;
        }
    }
    return 0;
}

/// While it lives, this process gets only so much more memory, and so do the processes that it
/// starts.
class memory_limit {
public:
    explicit memory_limit(std::size_t bytes) {
        ::getrlimit(RLIMIT_DATA, &before_);
        rlimit less = before_;
        less.rlim_cur = data_bytes() + bytes;
        REQUIRE(::setrlimit(RLIMIT_DATA, &less) == 0);
    }
    ~memory_limit() { ::setrlimit(RLIMIT_DATA, &before_); }
    memory_limit(const memory_limit&) = delete;
    memory_limit& operator=(const memory_limit&) = delete;

private:
    rlimit before_{};
};

asio::awaitable<void> no_memory_for_a_result() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto first = co_await executor.submit(same, 1);
    CHECK(first.value() == 1);
    {
        const memory_limit little(size / 4);
        const auto got = co_await executor.submit(much, 0);
        REQUIRE(got.has_error());
        INFO(got.error().message());
        CHECK(got.error() == errc::out_of_memory);
        CHECK(got.error().certainty() == certainty::ran);
        CHECK(got.error().message().find("not enough memory here to receive the result") !=
              std::string::npos);
        const auto next = co_await executor.submit(same, 2);
        CHECK(next.value() == 2);
    }
    // The worker that has come meanwhile has inherited the limit.
    coproc::executor other(loop, {.max_workers = 1});
    const auto later = co_await other.submit(much, 0);
    CHECK(later.value().size() == size);
}

asio::awaitable<void> no_memory_for_an_interruption() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto first = co_await executor.submit(same, 1);
    CHECK(first.value() == 1);
    const memory_limit little(size / 4);
    const auto got = co_await executor.submit(interrupt, 0);
    REQUIRE(got.has_error());
    INFO(got.error().message());
    CHECK(got.error() == errc::worker_terminated);
    CHECK(got.error().certainty() == certainty::may_have_run);
    CHECK(got.error().message().find("there was no memory here for what it sent") !=
          std::string::npos);
    const auto next = co_await executor.submit(same, 2);
    CHECK(next.value() == 2);
}

std::size_t length(const std::string& text) { return text.size(); }

asio::awaitable<void> no_memory_for_arguments() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(
        loop, {.max_workers = 1, .process = {.limits = {.memory_bytes = size / 2}}});
    const auto first = co_await executor.submit(::getpid);
    const auto got = co_await executor.submit(length, std::string(size, 'x'));
    REQUIRE(got.has_error());
    INFO(got.error().message());
    CHECK(got.error() == errc::decode_failed);
    CHECK(got.error().certainty() == certainty::not_started);
    CHECK(got.error().message().find("there is no memory for them in the worker") !=
          std::string::npos);
    const auto next = co_await executor.submit(::getpid);
    CHECK(next.value() == first.value());
    const auto less = co_await executor.submit(length, std::string(size / 16, 'x'));
    CHECK(less.value() == size / 16);
}

} // namespace

TEST_CASE("arguments that the worker has no memory for cost themselves alone") {
    test::run(no_memory_for_arguments());
}

TEST_CASE("a worker that sends more than there is memory for, in its task, costs that") {
    test::run(no_memory_for_an_interruption());
}

TEST_CASE("a result that there is no memory for costs itself alone") {
    test::run(no_memory_for_a_result());
}
