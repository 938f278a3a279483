#include "support/answers.hpp"
#include "support/catch.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"

#include <coproc/coproc.hpp>

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>

// Coroutine functions as tasks. The worker runs each on a loop of its own.

namespace {

using asio::use_awaitable;
using coproc::certainty;
using coproc::errc;
using test::answer_of;
using namespace std::chrono_literals;

/// Lets the loop of the task take some turns.
asio::awaitable<void> take_turns() {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (int i = 0; i < 3; ++i) {
        timer.expires_after(1ms);
        co_await timer.async_wait(use_awaitable);
    }
}

asio::awaitable<int> add_later(int a, int b) {
    co_await take_turns();
    co_return a + b;
}
asio::awaitable<void> nothing_later() { co_await take_turns(); }
asio::awaitable<std::string> at_once() { co_return "at once"; }
using not_sendable = asio::awaitable<std::unique_ptr<int>>();

/// What its parameters refer to must still be there after a wait.
asio::awaitable<std::string> views(std::string_view text, std::span<const int> numbers,
                                   const char* name, const std::string& whole) {
    co_await take_turns();
    int sum = 0;
    for (const int number : numbers) {
        sum += number;
    }
    co_return std::string(text) + std::to_string(sum) + name + whole;
}

asio::awaitable<int> throws_later(const std::string& why) {
    co_await take_turns();
    throw std::invalid_argument(why);
}

struct counter {
    int count;
    asio::awaitable<int> next(int by) const {
        co_await take_turns();
        co_return count + by;
    }
};

/// Arrives at a meeting, and gives the bytes that it is told there.
asio::awaitable<std::string> listen_at(std::string name) {
    test::meeting_socket socket(co_await asio::this_coro::executor);
    co_await socket.async_connect(asio::local::stream_protocol::endpoint(name), use_awaitable);
    const int pid = ::getpid();
    co_await asio::async_write(socket, asio::buffer(&pid, sizeof pid), use_awaitable);
    std::string heard(5, ' ');
    co_await asio::async_read(socket, asio::buffer(heard), use_awaitable);
    co_return heard;
}

/// For ever, unless it is cancelled.
asio::awaitable<int> stay(std::string name) {
    test::visit here(name);
    asio::steady_timer timer(co_await asio::this_coro::executor,
                             asio::steady_timer::time_point::max());
    co_await timer.async_wait(use_awaitable);
    co_return 0;
}

/// Ends in its own way when it is asked to stop.
asio::awaitable<int> stay_until_asked(std::stop_token stop, std::string name) {
    const auto loop = co_await asio::this_coro::executor;
    asio::steady_timer timer(loop, asio::steady_timer::time_point::max());
    const std::stop_callback ask(stop, [&] { asio::post(loop, [&] { timer.cancel(); }); });
    test::visit here(name);
    asio::error_code ended;
    co_await timer.async_wait(asio::redirect_error(use_awaitable, ended));
    co_await take_turns(); // it is not cancelled besides
    co_return stop.stop_requested() ? 7 : 0;
}

/// Leaves another coroutine behind, which would tell the meeting if it went on.
asio::awaitable<int> leave_behind(std::string name) {
    const auto loop = co_await asio::this_coro::executor;
    auto socket = std::make_shared<test::meeting_socket>(loop);
    co_await socket->async_connect(asio::local::stream_protocol::endpoint(name), use_awaitable);
    const int pid = ::getpid();
    co_await asio::async_write(*socket, asio::buffer(&pid, sizeof pid), use_awaitable);
    const auto go_on = [socket]() -> asio::awaitable<void> {
        co_await take_turns();
        const char byte = 'x';
        co_await asio::async_write(*socket, asio::buffer(&byte, 1), use_awaitable);
    };
    asio::co_spawn(loop, go_on, asio::detached);
    co_return 1;
}

asio::awaitable<int> stop_the_loop() {
    const auto loop = co_await asio::this_coro::executor;
    static_cast<asio::io_context&>(asio::query(loop, asio::execution::context)).stop();
    co_await take_turns();
    co_return 5;
}

asio::awaitable<int> other_throws() {
    const auto loop = co_await asio::this_coro::executor;
    asio::post(loop, [] { throw std::out_of_range("beside it"); });
    co_await take_turns();
    co_return 1;
}

/// Awaits what drops its handler.
asio::awaitable<int> given_up() {
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>([](auto&&) {},
                                                                          use_awaitable);
    co_return 1;
}

asio::awaitable<int> crash_later() {
    co_await take_turns();
    std::abort();
}

asio::awaitable<int> descriptors() {
    co_await take_turns();
    co_return static_cast<int>(test::open_descriptors());
}

int process_number() { return ::getpid(); }

asio::awaitable<void> sockets() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    auto job = executor.submit(listen_at, meeting.name());
    auto other = co_await meeting.arrival();
    const std::string words = "hello";
    co_await asio::async_write(other, asio::buffer(words), use_awaitable);
    const auto heard = co_await std::move(job);
    CHECK(heard.value() == "hello");
}

/// Cancels a coroutine that waits, and gives what becomes of it; the worker stays.
asio::awaitable<coproc::result<int>> cancelled(asio::cancellation_type type) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto before = co_await executor.submit(process_number);
    test::meeting meeting(loop);
    const coproc::task_options patient{.grace = test::patience};
    auto job = executor.submit(patient, stay, meeting.name());
    auto other = co_await meeting.arrival();
    job.cancel(type);
    coproc::result<int> got = co_await std::move(job);
    const auto after = co_await executor.submit(process_number);
    CHECK(after.value() == before.value());
    CHECK(executor.stats().crashed_workers == 0);
    co_return got;
}

asio::awaitable<void> cancelled_partially() {
    const auto got = co_await cancelled(asio::cancellation_type::partial);
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::task_threw);
    REQUIRE_THROWS_AS(got.value(), std::system_error);
    try {
        got.value();
    } catch (const std::system_error& error) {
        CHECK(error.code().value() == ECANCELED);
        CHECK(error.code() == std::errc::operation_canceled);
    }
}

asio::awaitable<void> cancelled_for_good() {
    const auto got = co_await cancelled(asio::cancellation_type::terminal);
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::cancelled);
    CHECK(got.error().certainty() == certainty::may_have_run);
}

asio::awaitable<void> asked_to_stop() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    auto job = executor.submit(stay_until_asked, meeting.name());
    auto other = co_await meeting.arrival();
    job.cancel(asio::cancellation_type::partial);
    const auto got = co_await std::move(job);
    CHECK(got.value() == 7);
}

asio::awaitable<void> left_behind() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    auto job = executor.submit(leave_behind, meeting.name());
    auto other = co_await meeting.arrival();
    const auto got = co_await std::move(job);
    CHECK(got.value() == 1);
    // It never goes on, also not while the next one runs: its end of the socket is closed.
    const auto next = co_await executor.submit(add_later, 1, 2);
    CHECK(next.value() == 3);
    char byte = 0;
    asio::error_code end;
    const std::size_t read = co_await asio::async_read(other, asio::buffer(&byte, 1),
                                                       asio::redirect_error(use_awaitable, end));
    CHECK(read == 0);
    CHECK(end == asio::error::eof);
}

asio::awaitable<void> many() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto before = co_await executor.submit(descriptors);
    for (int i = 0; i < 50; ++i) {
        const auto got = co_await executor.submit(add_later, i, 1);
        CHECK(got.value() == i + 1);
    }
    const auto after = co_await executor.submit(descriptors);
    CHECK(after.value() == before.value());
}

static_assert(std::is_same_v<coproc::task_result_t<decltype(add_later)&, int, int>, int>);
static_assert(std::is_void_v<coproc::task_result_t<decltype(nothing_later)&>>);
static_assert(!coproc::submittable<not_sendable&>);

} // namespace

TEST_CASE("a coroutine function gives what it returns", "[coroutine]") {
    CHECK(answer_of(add_later, 1, 2).value() == 3);
    CHECK(answer_of(nothing_later).has_value());
    CHECK(answer_of(at_once).value() == "at once");
}

TEST_CASE("coroutines are submitted in all the ways that functions are", "[coroutine]") {
    CHECK(answer_of(coproc::fn<add_later>, 1, 2).value() == 3);
    CHECK(answer_of(coproc::bind_front(add_later, 1), 2).value() == 3);
    CHECK(answer_of(&counter::next, counter{4}, 5).value() == 9);
    const auto lambda = [](int n) -> asio::awaitable<int> {
        co_await take_turns();
        co_return n + 1;
    };
    CHECK(answer_of(lambda, 1).value() == 2);
    const int by = 3;
    const auto closure = [by](int n) -> asio::awaitable<int> {
        co_await take_turns();
        co_return n* by;
    };
    CHECK(answer_of(coproc::unchecked_closure(closure), 2).value() == 6);
}

TEST_CASE("what a coroutine's parameters look at stays until it returns", "[coroutine]") {
    const std::vector<int> numbers{1, 2, 3};
    const std::string whole = "a text that is too long for the string itself";
    CHECK(answer_of(views, "text", numbers, "name", whole).value() == "text6name" + whole);
}

TEST_CASE("an exception of a coroutine is the task's own", "[coroutine]") {
    const auto got = answer_of(throws_later, "seven");
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::task_threw);
    CHECK(got.error().certainty() == certainty::ran);
    CHECK_THROWS_AS(got.value(), std::invalid_argument);
}

TEST_CASE("a coroutine awaits sockets in the worker", "[coroutine]") { test::run(sockets()); }

TEST_CASE("a coroutine that waits is cancelled by a stop request, and the worker stays",
          "[coroutine]") {
    test::run(cancelled_partially());
    test::run(cancelled_for_good());
}

TEST_CASE("a coroutine with a stop token sees to its end itself", "[coroutine]") {
    test::run(asked_to_stop());
}

TEST_CASE("what a coroutine has left on its loop ends with it", "[coroutine]") {
    test::run(left_behind());
}

TEST_CASE("a coroutine that stops its loop goes on", "[coroutine]") {
    CHECK(answer_of(stop_the_loop).value() == 5);
}

TEST_CASE("an exception beside the coroutine ends the task", "[coroutine]") {
    const auto got = answer_of(other_throws);
    REQUIRE(got.has_error());
    CHECK_THROWS_AS(got.value(), std::out_of_range);
}

TEST_CASE("a coroutine whose operation is given up fails, and the worker does not hang",
          "[coroutine]") {
    const auto got = answer_of(given_up);
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::task_threw);
    CHECK(got.error().message().find("destroyed before it had ended") != std::string::npos);
}

TEST_CASE("a coroutine that crashes costs itself", "[coroutine][process]") {
    const auto got = answer_of(crash_later);
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::worker_terminated);
    CHECK(got.error().certainty() == certainty::may_have_run);
}

TEST_CASE("loops of coroutines leave no descriptors", "[coroutine][process]") { test::run(many()); }
