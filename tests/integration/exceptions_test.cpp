#include "support/catch.hpp"
#include "support/loop.hpp"

#include <coproc/coproc.hpp>
#include <coproc/exception.hpp>
#include <coproc/remote_exception.hpp>

#include <cstdlib>
#include <stdexcept>
#include <string>

#include <unistd.h>

// Exceptions of types that were registered, from real tasks.

namespace bank {

class overdrawn : public std::runtime_error {
public:
    overdrawn(std::string account, long by)
        : runtime_error("account " + account + " is overdrawn by " + std::to_string(by)),
          account_(std::move(account)),
          by_(by) {}
    const std::string& account() const { return account_; }
    long by() const { return by_; }

private:
    std::string account_;
    long by_;
};

/// Its codec asks the executor that it came through, which is a deadlock under that one's mutex.
struct curious : std::runtime_error {
    using runtime_error::runtime_error;
    static coproc::executor* asked;
};
coproc::executor* curious::asked = nullptr;

/// Ends its process where it is encoded.
struct last_straw : std::runtime_error {
    using runtime_error::runtime_error;
};

/// Cannot be encoded.
struct unspeakable : std::runtime_error {
    using runtime_error::runtime_error;
};

struct plain {
    int code;
};

} // namespace bank

template <>
struct coproc::codec<bank::overdrawn> {
    static void encode(encoder& out, const bank::overdrawn& e) {
        out.write(e.account());
        out.write(e.by());
    }
    static bank::overdrawn decode(decoder& in) {
        auto account = in.read<std::string>();
        return {std::move(account), in.read<long>()};
    }
};

template <>
struct coproc::codec<bank::curious> {
    static void encode(encoder& out, const bank::curious&) { out.write(1); }
    static bank::curious decode(decoder& in) {
        in.read<int>();
        return bank::curious(std::to_string(bank::curious::asked->stats().completed));
    }
};

template <>
struct coproc::codec<bank::last_straw> {
    static void encode(encoder&, const bank::last_straw&) { std::_Exit(9); }
    static bank::last_straw decode(decoder&) { return bank::last_straw(""); }
};

template <>
struct coproc::codec<bank::unspeakable> {
    static void encode(encoder&, const bank::unspeakable&) { throw 7; }
    static bank::unspeakable decode(decoder&) { return bank::unspeakable(""); }
};

COPROC_EXCEPTION(bank::overdrawn);
COPROC_EXCEPTION(bank::curious);
COPROC_EXCEPTION(bank::last_straw);
COPROC_EXCEPTION(bank::unspeakable);
COPROC_EXCEPTION(bank::plain);

namespace {

using coproc::certainty;
using coproc::errc;

int overdraw(int by) { throw bank::overdrawn("7", by); }

int overdraw_deep(int by) {
    try {
        throw bank::overdrawn("7", by);
    } catch (...) {
        std::throw_with_nested(std::invalid_argument("order 3"));
    }
}

int be_curious(int) { throw bank::curious("?"); }
int break_down(int) { throw bank::last_straw("?"); }
int say_nothing(int) { throw bank::unspeakable("the unspeakable"); }
int throw_plain(int code) { throw bank::plain{code}; }
int process(int) { return ::getpid(); }

asio::awaitable<void> own_types() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto got = co_await executor.submit(overdraw, 50);
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::task_threw);
    CHECK(got.error().certainty() == certainty::ran);
    CHECK(got.error().message() ==
          "(anonymous namespace)::overdraw: threw bank::overdrawn: account 7 is overdrawn by 50");
    try {
        static_cast<void>(got.value());
        FAIL("has a value");
    } catch (const bank::overdrawn& e) {
        CHECK(e.account() == "7");
        CHECK(e.by() == 50);
        CHECK(dynamic_cast<const coproc::remote_exception*>(&e) != nullptr);
    }
    CHECK_THROWS_AS(got.value(), std::runtime_error);
    CHECK_THROWS_AS(got.value(), coproc::remote_exception);
    const auto plain = co_await executor.submit(throw_plain, 5);
    try {
        static_cast<void>(plain.value());
        FAIL("has a value");
    } catch (const bank::plain& e) {
        CHECK(e.code == 5);
    }
}

asio::awaitable<void> chains() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto got = co_await executor.submit(overdraw_deep, 50);
    REQUIRE(got.has_error());
    CHECK(got.error().message().find("threw std::invalid_argument: order 3, caused by "
                                     "bank::overdrawn: account 7 is overdrawn by 50") !=
          std::string::npos);
    try {
        try {
            static_cast<void>(got.value());
        } catch (const std::invalid_argument& outer) {
            std::rethrow_if_nested(outer);
            FAIL("nothing is nested");
        }
    } catch (const bank::overdrawn& inner) {
        CHECK(inner.by() == 50);
    }
}

asio::awaitable<void> where_codecs_run() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    bank::curious::asked = &executor;
    const auto got = co_await executor.submit(be_curious, 1);
    REQUIRE(got.has_error());
    // Asked for twice: it is the same one.
    CHECK(got.error().exception() == got.error().exception());
    const coproc::failure copy = got.error();
    CHECK(copy.exception() == got.error().exception());
    CHECK_THROWS_AS(got.value(), bank::curious);
}

asio::awaitable<void> failing_codecs() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const int before = (co_await executor.submit(process, 1)).value();
    const auto got = co_await executor.submit(say_nothing, 1);
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::task_threw);
    CHECK(got.error().message().find("threw bank::unspeakable: the unspeakable") !=
          std::string::npos);
    CHECK_THROWS_AS(got.value(), coproc::remote_error);
    const auto after = co_await executor.submit(process, 1);
    CHECK(after.value() == before); // its worker lives
}

asio::awaitable<void> ending_codecs() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto got = co_await executor.submit(break_down, 1);
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::worker_terminated);
    CHECK(got.error().certainty() == certainty::ran);
    CHECK(got.error().worker()->status == 9);
    const auto next = co_await executor.submit(process, 1);
    CHECK(next.has_value());
    CHECK(executor.stats().crashed_workers == 1);
}

} // namespace

TEST_CASE("a task's own exception type arrives as it was thrown", "[exceptions]") {
    test::run(own_types());
}
TEST_CASE("a chain of exceptions arrives as it was thrown", "[exceptions]") { test::run(chains()); }
TEST_CASE("an exception's codec runs where the exception is asked for", "[exceptions]") {
    test::run(where_codecs_run());
}
TEST_CASE("D9: an exception that cannot be encoded costs its task the detail", "[exceptions]") {
    test::run(failing_codecs());
}
TEST_CASE("D9: an exception whose codec ends the worker costs one task", "[process][exceptions]") {
    test::run(ending_codecs());
}
