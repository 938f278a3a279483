#include <cstdint>
#include <cstring>
#include <filesystem>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <coproc/remote_exception.hpp>

#include "exception/exception_codec.hpp"
#include "protocol.capnp.h"
#include "support/catch.hpp"

using coproc::exceptions::decode_exception;
using coproc::exceptions::encode_exception;
using coproc::protocol::Kind;
using coproc::protocol::Thrown;

namespace {

using bytes = std::vector<std::byte>;

/// Whatever the bytes were, the caller gets an exception from a worker, with a text.
void check_usable(const std::exception_ptr& arrived) {
    REQUIRE(arrived);
    try {
        std::rethrow_exception(arrived);
    } catch (const coproc::remote_exception& e) {
        CHECK(e.worker_pid() == 7);
        CHECK(e.type().size() <= 4096);
        CHECK(e.what_text().size() <= 65536);
    }
    try {
        std::rethrow_exception(arrived);
    } catch (const std::exception& e) {
        CHECK(std::strlen(e.what()) <= 65536 + 4096);
    }
}

std::string what_of(std::span<const std::byte> message) {
    try {
        std::rethrow_exception(decode_exception(message, 7));
    } catch (const std::exception& e) {
        return e.what();
    }
}

/// A message with all that there can be: a file error with another exception nested in it.
bytes full_message() {
    try {
        try {
            throw std::system_error(5, std::system_category(), "read");
        } catch (...) {
            std::throw_with_nested(std::filesystem::filesystem_error(
                "copy", "/from", "/to", std::error_code(5, std::generic_category())));
        }
    } catch (...) {
        return encode_exception(std::current_exception());
    }
}

template <class Fill>
bytes message_with(Fill fill) {
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<Thrown>());
    const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
    const auto raw = std::as_bytes(std::span(words.begin(), words.size()));
    return {raw.begin(), raw.end()};
}

} // namespace

TEST_CASE("no bytes mean an exception that the worker could not describe") {
    CHECK(what_of({}) == "worker 7 threw an exception that it could not describe");
    CHECK_THROWS_AS(std::rethrow_exception(decode_exception({}, 7)), coproc::remote_error);
}

TEST_CASE("bytes that are no message give a remote_error that says so") {
    const bytes garbage(64, std::byte{0xff});
    CHECK(what_of(garbage) == "worker 7 threw an exception whose description cannot be read");
    CHECK_THROWS_AS(std::rethrow_exception(decode_exception(garbage, 7)), coproc::remote_error);
}

TEST_CASE("a message of 5 MiB is not even looked at") {
    bytes large = full_message();
    large.resize(5 * 1024 * 1024);
    CHECK(what_of(large) == "worker 7 threw an exception whose description cannot be read");
}

TEST_CASE("an exception is decoded from any alignment") {
    const bytes message = full_message();
    bytes shifted(message.size() + 8);
    for (std::size_t shift = 0; shift < 8; ++shift) {
        std::memcpy(shifted.data() + shift, message.data(), message.size());
        CHECK_THROWS_AS(std::rethrow_exception(
                            decode_exception(std::span(shifted).subspan(shift, message.size()), 7)),
                        std::filesystem::filesystem_error);
    }
}

TEST_CASE("a message cut anywhere gives an exception") {
    const bytes message = full_message();
    for (std::size_t size = 0; size < message.size(); ++size) {
        check_usable(decode_exception(std::span(message).first(size), 7));
    }
}

TEST_CASE("a message with any one byte changed gives an exception") {
    const bytes message = full_message();
    for (std::size_t at = 0; at < message.size(); ++at) {
        for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
            bytes changed = message;
            changed[at] = static_cast<std::byte>(value);
            check_usable(decode_exception(changed, 7));
        }
    }
}

TEST_CASE("random bytes behind a valid segment table give an exception") {
    std::mt19937 random(1);
    for (int round = 0; round < 2000; ++round) {
        const std::uint32_t words = random() % 32;
        bytes message(8 + words * 8);
        for (std::byte& one : message) {
            // Mostly zeros: pointers that are nearly right reach deeper.
            one = random() % 4 == 0 ? static_cast<std::byte>(random() % 256) : std::byte{0};
        }
        const std::uint32_t table[2] = {0, words};
        std::memcpy(message.data(), table, sizeof table);
        check_usable(decode_exception(message, 7));
    }
}

TEST_CASE("a kind that does not exist gives a remote_error with type and text") {
    const bytes message = message_with([](Thrown::Builder out) {
        out.setType("std::from_the_future");
        out.setWhat("hello");
        out.setKind(static_cast<Kind>(60000));
    });
    try {
        std::rethrow_exception(decode_exception(message, 7));
    } catch (const coproc::remote_error& e) {
        CHECK(e.type() == "std::from_the_future");
        CHECK(e.what() == std::string("hello"));
    }
}

TEST_CASE("a code that the type does not have costs the type") {
    for (const int code : {-1, 13, 1000000}) {
        const bytes message = message_with([&](Thrown::Builder out) {
            out.setType("std::regex_error");
            out.setWhat("what");
            out.setKind(Kind::REGEX_ERROR);
            out.setCode(code);
        });
        CHECK_THROWS_AS(std::rethrow_exception(decode_exception(message, 7)), coproc::remote_error);
        CHECK(what_of(message) == "what");
    }
}

TEST_CASE("a nested exception that cannot be read costs only itself") {
    bytes message = message_with([](Thrown::Builder out) {
        out.setWhat("outer");
        out.setKind(Kind::RUNTIME_ERROR);
        out.initNested();
    });
    // The pointer to the nested struct is the last word of the root; let it point far outside.
    const std::uint64_t outside = std::uint64_t{1} << 20 | std::uint64_t{2} << 32;
    bool changed = false;
    for (std::size_t at = 8; at + 8 <= message.size() && !changed; at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, message.data() + at, 8);
        const bool struct_pointer = (word & 3) == 0 && (word >> 32) != 0 && at > 16;
        if (struct_pointer) {
            std::memcpy(message.data() + at, &outside, 8);
            changed = true;
        }
    }
    REQUIRE(changed);
    const std::exception_ptr arrived = decode_exception(message, 7);
    try {
        std::rethrow_exception(arrived);
    } catch (const std::runtime_error& e) {
        CHECK(e.what() == std::string("outer"));
        CHECK(dynamic_cast<const std::nested_exception*>(&e) == nullptr);
    }
}

TEST_CASE("a chain longer than any worker sends is cut") {
    const bytes message = message_with([](Thrown::Builder out) {
        for (int depth = 0; depth < 40; ++depth) {
            out.setWhat("again");
            out.setKind(Kind::RUNTIME_ERROR);
            out = out.initNested();
        }
    });
    int depth = 0;
    std::exception_ptr thrown = decode_exception(message, 7);
    while (thrown) {
        ++depth;
        try {
            std::rethrow_exception(thrown);
        } catch (const std::exception& e) {
            auto* outer = dynamic_cast<const std::nested_exception*>(&e);
            thrown = outer ? outer->nested_ptr() : nullptr;
        }
    }
    CHECK(depth == 16);
}
