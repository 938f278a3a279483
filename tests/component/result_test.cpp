#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/outcome/try.hpp>

#include <coproc/result.hpp>

#include "failure_record.hpp"
#include "support/catch.hpp"

using coproc::certainty;
using coproc::errc;
using coproc::failure;
using coproc::result;
using coproc::detail::failure_record;
using coproc::detail::make_failure;
namespace outcome = BOOST_OUTCOME_V2_NAMESPACE;

static_assert(std::is_nothrow_default_constructible_v<result<std::string>>);
static_assert(std::is_nothrow_move_constructible_v<result<std::string>>);
static_assert(std::is_copy_constructible_v<result<int>>);
static_assert(!std::is_copy_constructible_v<result<std::unique_ptr<int>>>);
static_assert(std::is_move_assignable_v<result<std::unique_ptr<int>>>);
static_assert(!std::is_convertible_v<result<int>, bool>);
static_assert(std::is_constructible_v<bool, result<int>>);

namespace {

failure failure_of(errc code) {
    failure_record record;
    record.code = code;
    record.how_certain = certainty::not_started;
    return make_failure(std::move(record));
}

template <class R>
result<R> failed_result(errc code) {
    return result<R>(outcome::in_place_type<failure>, failure_of(code));
}

failure thrown_by_task() {
    failure_record record;
    record.code = errc::task_threw;
    record.how_certain = certainty::ran;
    record.exception = std::make_exception_ptr(std::out_of_range("row 9"));
    return make_failure(std::move(record));
}

result<std::string> describe(result<int> number) {
    BOOST_OUTCOME_TRY(const int value, std::move(number));
    return std::to_string(value);
}

result<void> check(result<std::unique_ptr<int>> pointer) {
    BOOST_OUTCOME_TRY(auto value, std::move(pointer));
    BOOST_OUTCOME_TRYV(describe(*value));
    return outcome::success();
}

} // namespace

TEST_CASE("a result has a value or a failure") {
    const result<int> good(outcome::in_place_type<int>, 832040);
    REQUIRE(good);
    CHECK(good.value() == 832040);

    const result<int> bad = failed_result<int>(errc::cancelled);
    REQUIRE_FALSE(bad);
    CHECK(bad.error() == errc::cancelled);
}

TEST_CASE("a default result is no_result") {
    CHECK(result<int>().error() == errc::no_result);
    CHECK(result<void>().error() == errc::no_result);
    CHECK(result<std::unique_ptr<int>>().error() == errc::no_result);
    const std::vector<result<int>> many(5);
    CHECK(many[4].error() == errc::no_result);
}

TEST_CASE("value() of a failure throws what the task threw, as its own type") {
    const result<int> bad(outcome::in_place_type<failure>, thrown_by_task());
    CHECK_FALSE(bad);
    CHECK_THROWS_AS(bad.value(), std::out_of_range);
    const result<void> nothing(outcome::in_place_type<failure>, thrown_by_task());
    CHECK_THROWS_AS(nothing.value(), std::out_of_range);
}

TEST_CASE("value() of any other failure throws a system_error with its message") {
    try {
        failed_result<std::string>(errc::queue_full).value();
        FAIL("there is no value");
    } catch (const std::system_error& e) {
        CHECK(e.code() == errc::queue_full);
        CHECK(e.what() == failure_of(errc::queue_full).message());
    }
}

TEST_CASE("error() of a value throws a logic_error") {
    CHECK_THROWS_AS(result<int>(outcome::in_place_type<int>, 1).error(), std::logic_error);
    CHECK_THROWS_AS(result<void>(outcome::in_place_type<void>).error(), std::logic_error);
}

TEST_CASE("a value may be of any type that a function returns") {
    CHECK(result<void>(outcome::in_place_type<void>).has_value());
    CHECK(*result<std::unique_ptr<int>>(outcome::in_place_type<std::unique_ptr<int>>,
                                        std::make_unique<int>(7))
               .value() == 7);
    CHECK_FALSE(result<bool>(outcome::in_place_type<bool>, false).value());
    // Types that are error types elsewhere are values here.
    CHECK(
        result<std::error_code>(outcome::in_place_type<std::error_code>, errc::timed_out).value() ==
        errc::timed_out);
    CHECK(result<errc>(outcome::in_place_type<errc>, errc::forked).value() == errc::forked);
    // A result of a task is nested, not flattened.
    using inner = result<int>;
    const result<inner> outer(outcome::in_place_type<inner>, failed_result<int>(errc::cancelled));
    REQUIRE(outer);
    CHECK(outer.value().error() == errc::cancelled);
}

TEST_CASE("OUTCOME_TRY hands values on and failures up, across types") {
    CHECK(describe(result<int>(outcome::in_place_type<int>, 7)).value() == "7");
    CHECK(describe(failed_result<int>(errc::cancelled)).error() == errc::cancelled);

    using pointer = std::unique_ptr<int>;
    CHECK(check(result<pointer>(outcome::in_place_type<pointer>, std::make_unique<int>(1))));
    CHECK(check(failed_result<pointer>(errc::forked)).error() == errc::forked);
}

TEST_CASE("a failure that is handed up keeps its record") {
    const result<std::string> up =
        describe(result<int>(outcome::in_place_type<failure>, thrown_by_task()));
    CHECK_THROWS_AS(up.value(), std::out_of_range);
    CHECK(up.error().message() == thrown_by_task().message());
}
