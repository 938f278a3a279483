// A program of its own, since it replaces operator new.
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "exception/exception_codec.hpp"
#include "failure_record.hpp"
#include "support/catch.hpp"

namespace {

thread_local bool memory_is_short = false;

} // namespace

void* operator new(std::size_t size) {
    void* memory = memory_is_short ? nullptr : std::malloc(size);
    if (!memory) {
        throw std::bad_alloc();
    }
    return memory;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return memory_is_short ? nullptr : std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

template <class Call>
auto without_memory(Call call) {
    memory_is_short = true;
    auto given = call();
    memory_is_short = false;
    return given;
}

} // namespace

TEST_CASE("a failure keeps code and certainty when there is no memory for more") {
    coproc::detail::failure_record record;
    record.code = coproc::errc::too_large;
    record.how_certain = coproc::certainty::ran;
    record.task_name = std::string(100, 'n');
    const coproc::failure made = without_memory([&] { return make_failure(std::move(record)); });
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
    CHECK(without_memory([&] { return thrown.what(); }) == thrown.code().message());
    CHECK(thrown.what() == thrown.reason().message());
}

TEST_CASE("without memory an exception is neither encoded nor decoded, and nothing is thrown") {
    using namespace coproc::exceptions;
    const std::exception_ptr thrown = std::make_exception_ptr(std::runtime_error("r"));
    CHECK(without_memory([&] { return encode_exception(thrown); }).empty());
    const std::vector<std::byte> encoded = encode_exception(thrown);
    const std::exception_ptr decoded = without_memory([&] { return decode_exception(encoded, 1); });
    CHECK_THROWS_AS(std::rethrow_exception(decoded), std::bad_alloc);
}
