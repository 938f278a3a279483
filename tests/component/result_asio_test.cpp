// Results in Asio's coroutines, futures and groups: rule 2 of the public contract.
#include <array>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/deferred.hpp>
#include <asio/experimental/parallel_group.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <boost/outcome/try.hpp>

#include <coproc/result.hpp>

#include "failure_record.hpp"
#include "support/catch.hpp"

using coproc::errc;
using coproc::failure;
using coproc::result;
namespace outcome = BOOST_OUTCOME_V2_NAMESPACE;

namespace {

template <class R>
result<R> failed_result(errc code) {
    coproc::detail::failure_record record;
    record.code = code;
    return result<R>(outcome::in_place_type<failure>, make_failure(std::move(record)));
}

asio::awaitable<result<std::string>> text() {
    co_return result<std::string>(outcome::in_place_type<std::string>, "text");
}

asio::awaitable<result<std::unique_ptr<int>>> pointer(int value) {
    using type = std::unique_ptr<int>;
    co_return result<type>(outcome::in_place_type<type>, std::make_unique<int>(value));
}

asio::awaitable<result<void>> nothing() { co_return result<void>(outcome::in_place_type<void>); }

asio::awaitable<result<int>> cancelled() { co_return failed_result<int>(errc::cancelled); }

asio::awaitable<result<int>> thrown() {
    throw std::runtime_error("the coroutine itself");
    co_return result<int>();
}

asio::awaitable<result<std::size_t>> length_of_text() {
    BOOST_OUTCOME_CO_TRY(const std::string value, co_await text());
    co_return value.size();
}

asio::awaitable<result<void>> hands_up() {
    BOOST_OUTCOME_CO_TRY(const int value, co_await cancelled());
    throw std::logic_error("there was a value: " + std::to_string(value));
}

/// Runs a coroutine and gives what it returned to a completion handler.
template <class R>
std::optional<result<R>> run(asio::awaitable<result<R>> coroutine) {
    asio::io_context loop;
    std::optional<result<R>> given;
    asio::co_spawn(loop, std::move(coroutine), [&](std::exception_ptr e, result<R> r) {
        if (!e) {
            given.emplace(std::move(r));
        }
    });
    loop.run();
    return given;
}

} // namespace

TEST_CASE("co_spawn gives the result of a coroutine to its handler") {
    CHECK(run(text()).value().value() == "text");
    CHECK(*run(pointer(5)).value().value() == 5);
    CHECK(run(nothing()).value());
    CHECK(run(cancelled()).value().error() == errc::cancelled);
}

TEST_CASE("co_spawn gives no_result beside the exception of the coroutine") {
    asio::io_context loop;
    std::exception_ptr exception;
    result<int> given = failed_result<int>(errc::forked);
    asio::co_spawn(loop, thrown(), [&](std::exception_ptr e, result<int> r) {
        exception = e;
        given = std::move(r);
    });
    loop.run();
    CHECK_THROWS_AS(std::rethrow_exception(exception), std::runtime_error);
    CHECK(given.error() == errc::no_result);
}

TEST_CASE("use_future gives the result, also a failure, as a value") {
    asio::io_context loop;
    auto first = asio::co_spawn(loop, text(), asio::use_future);
    auto second = asio::co_spawn(loop, pointer(6), asio::use_future);
    auto third = asio::co_spawn(loop, nothing(), asio::use_future);
    auto fourth = asio::co_spawn(loop, cancelled(), asio::use_future);
    auto fifth = asio::co_spawn(loop, thrown(), asio::use_future);
    loop.run();
    CHECK(first.get().value() == "text");
    CHECK(*second.get().value() == 6);
    CHECK(third.get().has_value());
    CHECK(fourth.get().error() == errc::cancelled);
    CHECK_THROWS_AS(fifth.get(), std::runtime_error);
}

TEST_CASE("a coroutine awaits a co_spawn of a result") {
    asio::io_context loop;
    auto outer = [&]() -> asio::awaitable<result<std::string>> {
        co_return co_await asio::co_spawn(loop, text(), asio::use_awaitable);
    };
    auto given = asio::co_spawn(loop, outer(), asio::use_future);
    loop.run();
    CHECK(given.get().value() == "text");
}

TEST_CASE("a parallel group waits for results of several types") {
    asio::io_context loop;
    int calls = 0;
    asio::experimental::make_parallel_group(asio::co_spawn(loop, text(), asio::deferred),
                                            asio::co_spawn(loop, pointer(7), asio::deferred),
                                            asio::co_spawn(loop, nothing(), asio::deferred),
                                            asio::co_spawn(loop, cancelled(), asio::deferred),
                                            asio::co_spawn(loop, thrown(), asio::deferred))
        .async_wait(asio::experimental::wait_for_all(),
                    [&](std::array<std::size_t, 5>, std::exception_ptr, result<std::string> a,
                        std::exception_ptr, result<std::unique_ptr<int>> b, std::exception_ptr,
                        result<void> c, std::exception_ptr, result<int> d, std::exception_ptr e5,
                        result<int> e) {
                        ++calls;
                        CHECK(a.value() == "text");
                        CHECK(*b.value() == 7);
                        CHECK(c.has_value());
                        CHECK(d.error() == errc::cancelled);
                        CHECK(e5 != nullptr);
                        CHECK(e.error() == errc::no_result);
                    });
    loop.run();
    CHECK(calls == 1);
}

TEST_CASE("OUTCOME_CO_TRY hands values on and failures up in a coroutine") {
    CHECK(run(length_of_text()).value().value() == 4);
    CHECK(run(hands_up()).value().error() == errc::cancelled);
}
