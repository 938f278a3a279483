#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "exception/exception_codec.hpp"
#include "failure_record.hpp"
#include "support/catch.hpp"
#include "support/short_memory.hpp"

using coproc::test::with_short_memory;

TEST_CASE("a failure keeps code and certainty when there is no memory for more") {
    coproc::detail::failure_record record;
    record.code = coproc::errc::too_large;
    record.how_certain = coproc::certainty::ran;
    record.task_name = std::string(100, 'n');
    const coproc::failure made =
        with_short_memory(0, [&] { return make_failure(std::move(record)); });
    CHECK(made == coproc::errc::too_large);
    CHECK(made.certainty() == coproc::certainty::ran);
    CHECK(made.message().starts_with("the result is larger than a message may be"));
    CHECK(made.exception() == nullptr);
    CHECK_THROWS_AS(made.raise(), coproc::failed);
}

TEST_CASE("an exception for which there is no message has at least a code to say") {
    coproc::detail::failure_record record;
    record.code = coproc::errc::too_large;
    const coproc::failed thrown(make_failure(std::move(record)));
    CHECK(with_short_memory(0, [&] { return thrown.what(); }) == thrown.code().message());
    CHECK(thrown.what() == thrown.reason().message());
}

TEST_CASE("without memory an exception is neither encoded nor decoded, and nothing is thrown") {
    using namespace coproc::exceptions;
    const std::exception_ptr thrown = std::make_exception_ptr(std::runtime_error("r"));
    CHECK(with_short_memory(0, [&] { return encode_exception(thrown); }).empty());
    const std::vector<std::byte> encoded = encode_exception(thrown);
    const std::exception_ptr decoded =
        with_short_memory(0, [&] { return decode_exception(encoded, 1); });
    CHECK_THROWS_AS(std::rethrow_exception(decoded), std::bad_alloc);
}
