#include <algorithm>
#include <csignal>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <asio/error.hpp>

#include <coproc/remote_exception.hpp>

#include "exception/exception_codec.hpp"
#include "failure_record.hpp"
#include "support/catch.hpp"

using coproc::certainty;
using coproc::errc;
using coproc::failure;
using coproc::detail::failure_record;
using coproc::detail::make_failure;

static_assert(std::is_nothrow_copy_constructible_v<failure>);
static_assert(std::is_nothrow_copy_assignable_v<failure>);
static_assert(std::is_nothrow_move_constructible_v<failure>);
static_assert(std::is_nothrow_copy_constructible_v<coproc::failed>);
static_assert(std::is_nothrow_copy_constructible_v<coproc::remote_error>);

namespace {

failure failure_of(errc code, certainty how = certainty::may_have_run) {
    failure_record record;
    record.code = code;
    record.how_certain = how;
    return make_failure(std::move(record));
}

template <class T>
std::string printed(const T& value) {
    std::ostringstream out;
    out << value;
    return out.str();
}

struct crash_at_main : coproc::detail::worker_fate {
    std::vector<coproc::stack_frame> backtrace() const override {
        return {{"main", "main.cpp", 7, "/bin/program", 0x1234}};
    }
};

} // namespace

TEST_CASE("an errc means the std::errc that fits") {
    CHECK(errc::timed_out == std::errc::timed_out);
    CHECK(errc::cancelled == std::errc::operation_canceled);
    CHECK(errc::out_of_memory == std::errc::not_enough_memory);
    CHECK(errc::queue_full == std::errc::resource_unavailable_try_again);
    CHECK(errc::would_deadlock == std::errc::resource_deadlock_would_occur);
    CHECK_FALSE(errc::executor_shutdown == std::errc::operation_canceled);
    CHECK_FALSE(errc::task_threw == std::errc::timed_out);
}

TEST_CASE("cancelled means Asio's operation_aborted") {
    CHECK(errc::cancelled == asio::error::operation_aborted);
    CHECK(std::error_code(asio::error::operation_aborted) == errc::cancelled);
    CHECK_FALSE(errc::cancelled == asio::error::timed_out);
    CHECK_FALSE(errc::timed_out == asio::error::operation_aborted);
    CHECK_FALSE(errc::cancelled == asio::error::eof);
    CHECK(errc::timed_out == asio::error::timed_out);
    CHECK(failure_of(errc::cancelled) == asio::error::operation_aborted);
    CHECK_FALSE(failure_of(errc::executor_shutdown) == asio::error::operation_aborted);
}

TEST_CASE("codes of our own are equal only to themselves") {
    const std::error_code code = errc::timed_out;
    CHECK(code == errc::timed_out);
    CHECK(code != errc::cancelled);
    CHECK(code.category().name() == std::string("coproc"));
    CHECK(code.message() == "the task timed out");
    CHECK(std::error_code(0, coproc::error_category()).message() == "unknown coproc error");
}

TEST_CASE("every code has a text of its own") {
    std::vector<std::string> texts;
    for (int value = 1; value <= static_cast<int>(errc::forked); ++value) {
        const std::string text = std::error_code(value, coproc::error_category()).message();
        CHECK(text != "unknown coproc error");
        CHECK(std::find(texts.begin(), texts.end(), text) == texts.end());
        texts.push_back(text);
    }
}

TEST_CASE("a default failure is no_result, and nothing is known about a task") {
    const failure none;
    CHECK(none == errc::no_result);
    CHECK(none.certainty() == certainty::may_have_run);
    CHECK_FALSE(none.safe_to_retry());
    CHECK(none.exception() == nullptr);
    CHECK_FALSE(none.worker());
}

TEST_CASE("only what did not start is safe to retry") {
    CHECK(failure_of(errc::timed_out, certainty::not_started).safe_to_retry());
    CHECK_FALSE(failure_of(errc::timed_out, certainty::may_have_run).safe_to_retry());
    CHECK_FALSE(failure_of(errc::encode_failed, certainty::ran).safe_to_retry());
}

TEST_CASE("a failure is compared with errc, std::errc and codes") {
    const failure late = failure_of(errc::timed_out);
    CHECK(late == errc::timed_out);
    CHECK(late != errc::cancelled);
    CHECK(late == std::errc::timed_out);
    CHECK(late != std::errc::operation_canceled);
    CHECK(late.code() == std::errc::timed_out);
}

TEST_CASE("a failure tells how the worker ended") {
    auto fate = std::make_shared<crash_at_main>();
    fate->pid = 4242;
    fate->slot = 3;
    fate->signal = SIGSEGV;
    failure_record record;
    record.code = errc::worker_terminated;
    record.fate = fate;
    const auto exit = make_failure(std::move(record)).worker();
    REQUIRE(exit);
    CHECK(exit->pid == 4242);
    CHECK(exit->slot == 3);
    CHECK(exit->signal == SIGSEGV);
    CHECK_FALSE(exit->status);
    REQUIRE(exit->backtrace.size() == 1);
    CHECK(to_string(exit->backtrace[0]) == "main at main.cpp:7");
}

TEST_CASE("a frame is printed with what is known of it") {
    using coproc::stack_frame;
    CHECK(printed(stack_frame{"f", "f.cpp", 12, "/lib/f.so", 16}) == "f at f.cpp:12");
    CHECK(printed(stack_frame{"f", "f.cpp", 0, "/lib/f.so", 16}) == "f at f.cpp");
    CHECK(printed(stack_frame{"f", "", 0, "/lib/f.so", 0x1234}) == "f in /lib/f.so+0x1234");
    CHECK(printed(stack_frame{"", "", 0, "/lib/f.so", 0x1234}) == "/lib/f.so+0x1234");
    CHECK(printed(stack_frame{"f", "", 0, "", 0}) == "f");
    CHECK(printed(stack_frame{}) == "?");
}

TEST_CASE("a failure is printed as its message") {
    CHECK(printed(failure_of(errc::cancelled, certainty::not_started)) ==
          "cancelled before it began");
}

TEST_CASE("raise() rethrows what the task threw, as its own type") {
    failure_record record;
    record.code = errc::task_threw;
    record.exception = std::make_exception_ptr(std::out_of_range("7"));
    const failure thrown = make_failure(std::move(record));
    CHECK_THROWS_AS(thrown.raise(), std::out_of_range);
    CHECK(thrown.exception() != nullptr);
}

TEST_CASE("raise() throws a system_error for every other failure") {
    const failure late = failure_of(errc::timed_out, certainty::not_started);
    CHECK_THROWS_AS(late.raise(), std::system_error);
    try {
        late.raise();
    } catch (const coproc::failed& e) {
        CHECK(e.code() == errc::timed_out);
        CHECK(e.code() == std::errc::timed_out);
        CHECK(e.what() == late.message());
        CHECK(e.reason().safe_to_retry());
    }
    try {
        failure().raise();
    } catch (const std::system_error& e) {
        CHECK(e.code() == errc::no_result);
        CHECK(e.what() == std::string("no result was stored"));
    }
}

TEST_CASE("what value() throws in a worker arrives as a system_error with the same code") {
    using namespace coproc::exceptions;
    try {
        failure_of(errc::timed_out).raise();
    } catch (...) {
        const auto arrived = decode_exception(encode_exception(std::current_exception()), 1);
        CHECK_THROWS_AS(std::rethrow_exception(arrived), coproc::remote_exception);
        try {
            std::rethrow_exception(arrived);
        } catch (const std::system_error& e) {
            CHECK(e.code() == errc::timed_out);
            CHECK(e.what() == failure_of(errc::timed_out).message());
        }
    }
}

TEST_CASE("a message is the same for all threads that ask at once") {
    failure_record record;
    record.code = errc::queue_full;
    record.task_name = std::string(1000, 'n');
    const failure full = make_failure(std::move(record));
    std::vector<std::string> messages(4);
    std::vector<std::thread> readers;
    for (std::string& message : messages) {
        readers.emplace_back([copy = full, &message] { message = copy.message(); });
    }
    for (std::thread& reader : readers) {
        reader.join();
    }
    for (const std::string& message : messages) {
        CHECK(message == full.message());
    }
}
