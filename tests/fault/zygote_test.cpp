#include "refusal.hpp"

#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/matchers.hpp"
#include "support/processes.hpp"

#include <coproc/codecs/string.hpp>
#include <coproc/coproc.hpp>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

// A process that shall fork workers, and cannot, or says what it should not. What breaks it is
// among what it preloads.

namespace {

using coproc::call;
using coproc::certainty;
using coproc::errc;

int same(int n) { return n; }

coproc::executor_options preloading(call what) {
    return {.max_workers = 1,
            .start = coproc::start_method::forkserver,
            .preload = {std::move(what)},
            .max_failed_starts = 2};
}

void refuse_forks(int error, int times) {
    static const test::refusal refused(test::call::clone, error, times);
}

/// There is no number for another descriptor.
void take_all_descriptors() {
    const int next = ::dup(STDIN_FILENO);
    ::close(next);
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = static_cast<rlim_t>(next);
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

void say(const std::string& bytes) {
    constexpr int own_socket = 3;
    ::send(own_socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

std::string frame(const char* name) {
    std::ifstream file(std::string(COPROC_TEST_DATA "/") + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The first task fails with this, and so does whatever comes after it.
asio::awaitable<void> breaks(call what, errc code, std::string text) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, preloading(std::move(what)));
    const auto first = co_await executor.submit(same, 1);
    REQUIRE(first.has_error());
    INFO(first.error().message());
    CHECK(first.error() == code);
    CHECK(first.error().certainty() == certainty::not_started);
    CHECK_THAT(first.error().message(), test::contains_text(text));
    const auto second = co_await executor.submit(same, 2);
    REQUIRE(second.has_error());
    CHECK(second.error() == errc::executor_broken);
    CHECK_THAT(second.error().message(), test::contains_text(text));
}

asio::awaitable<void> recovers() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, preloading(call(refuse_forks, EAGAIN, 1)));
    const auto got = co_await executor.submit(same, 7);
    CHECK(got.value() == 7);
    CHECK(executor.stats().started_workers == 2); // one was refused
}

} // namespace

TEST_CASE("a zygote that may not fork for a moment is not noticed") {
    test::run(recovers());
    CHECK_FALSE(test::has_children());
}

TEST_CASE("a zygote that may not fork breaks its executor, which tells why") {
    const std::size_t descriptors = test::open_descriptors();
    test::run(breaks(call(refuse_forks, ENOMEM, 1000), errc::spawn_failed,
                     std::string("clone: ") + std::strerror(ENOMEM)));
    test::run(breaks(call(take_all_descriptors), errc::spawn_failed,
                     "the zygote has not received the descriptors of the worker: too many are "
                     "open"));
    CHECK_FALSE(test::has_children());
    CHECK(test::open_descriptors() == descriptors);
}

TEST_CASE("a zygote that says what it should not is refused") {
    const std::size_t descriptors = test::open_descriptors();
    const auto refused = [](std::string bytes, const char* why) {
        INFO(why);
        test::run(breaks(call(say, std::move(bytes)), errc::initializer_failed, why));
    };
    refused(frame("hello.bin"), "it said hello twice");
    refused(frame("forked.bin"), "it forked what it was not asked for");
    refused(frame("retire.bin"), "it sent what no zygote says");
    refused(std::string(64, '\xff'), "it sent no frame: ");
    CHECK_FALSE(test::has_children());
    CHECK(test::open_descriptors() == descriptors);
}
