// The encoder itself: alignment, limits, and what becomes of its memory.
#include "support/catch.hpp"
#include "unit/codec_samples.hpp"

#include <coproc/codec.hpp>

#include <algorithm>
#include <cstring>

namespace {

/// A tree that is a single branch of so many nodes. A node counts twice: itself and its vector.
samples::tree branch(unsigned nodes) {
    samples::tree tree;
    for (unsigned i = 1; i < nodes; ++i) {
        samples::tree above;
        above.branches.push_back(std::move(tree));
        tree = std::move(above);
    }
    return tree;
}

} // namespace

TEST_CASE("blocks are aligned from the beginning of the message, with zeros between", "[encoder]") {
    coproc::encoder out;
    const std::array<char, 3> text{'a', 'b', 'c'};
    out.write_block(text.data(), 1);
    out.write_block(text.data(), 3, 16);
    out.write_block(text.data(), 1, 4);
    REQUIRE(out.size() == 21);
    const auto bytes = out.bytes();
    CHECK(reinterpret_cast<std::uintptr_t>(bytes.data()) % 16 == 0);
    CHECK(std::memcmp(bytes.data() + 16, "abc\0a", 5) == 0);
    CHECK(std::all_of(bytes.begin() + 1, bytes.begin() + 16,
                      [](std::byte byte) { return byte == std::byte{}; }));
}

TEST_CASE("an encoder fills its limit and not a byte more", "[encoder]") {
    coproc::encoder out(16);
    out.write(std::uint64_t{1});
    out.write(std::uint64_t{2});
    CHECK(out.size() == 16);
    try {
        out.write('x');
        FAIL("the limit was passed");
    } catch (const coproc::encode_error& error) {
        CHECK(error.too_large());
        CHECK(std::string(error.what()) == "the message would be longer than 16 bytes");
    }
}

TEST_CASE("a limit can be set for the next message, below the memory that is there", "[encoder]") {
    coproc::encoder out;
    out.write(std::vector<int>(100));
    out.clear(10);
    out.write(std::uint64_t{1});
    CHECK_THROWS_AS(out.write(std::uint32_t{1}), coproc::encode_error);
    out.clear(1000);
    out.write(std::vector<int>(100));
    CHECK(out.size() == 408);
}

TEST_CASE("clear keeps the memory", "[encoder]") {
    coproc::encoder out;
    out.write(std::vector<int>(10'000));
    const std::byte* const before = out.bytes().data();
    out.clear();
    CHECK(out.size() == 0);
    out.write(std::vector<int>(10'000));
    CHECK(out.bytes().data() == before);
}

TEST_CASE("release gives the memory away", "[encoder]") {
    coproc::encoder out;
    out.write(std::string("first"));
    const std::byte* const place = out.bytes().data();
    const coproc::detail::payload given = out.release();
    CHECK(given.bytes().data() == place);
    CHECK(out.size() == 0);
    out.write(std::string("second"));
    CHECK(coproc::decoder(given.bytes()).read<std::string>() == "first");
    CHECK(coproc::decoder(out.bytes()).read<std::string>() == "second");
}

TEST_CASE("a moved encoder takes its bytes with it", "[encoder]") {
    coproc::encoder out;
    out.write(7);
    coproc::encoder moved(std::move(out));
    CHECK(coproc::decoder(moved.bytes()).read<int>() == 7);
}

TEST_CASE("deep values are refused by who sends them", "[encoder]") {
    static_assert(coproc::max_nesting == 64);
    coproc::encoder out;
    CHECK_NOTHROW(out.write(branch(32)));
    out.clear();
    try {
        out.write(branch(33));
        FAIL("33 nodes and 33 vectors lie inside each other");
    } catch (const coproc::encode_error& error) {
        CHECK_FALSE(error.too_large());
    }
    out.clear();
    CHECK_NOTHROW(out.write(branch(32)));
}

TEST_CASE("what a codec throws leaves the encoder usable after clear", "[encoder]") {
    coproc::encoder out(24);
    CHECK_THROWS_AS(out.write(std::vector<std::string>{"a", "a text that is too long"}),
                    coproc::encode_error);
    out.clear();
    out.write(1);
    CHECK(out.size() == 4);
}
