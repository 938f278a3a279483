// How values lie in a message: which are one block, which are taken apart, and byte for byte.
#include "support/catch.hpp"
#include "unit/codec_samples.hpp"

#include <coproc/codec.hpp>

#include <cstdio>
#include <memory>
#include <span>
#include <string_view>

using coproc::is_plain;

static_assert(is_plain<int> && is_plain<double> && is_plain<samples::colour>);
static_assert(is_plain<samples::point> && is_plain<samples::wide> && is_plain<samples::vec3>);
static_assert(is_plain<std::array<samples::point, 3>>);
static_assert(!is_plain<bool> && !is_plain<samples::answer> && !is_plain<samples::checked>);
static_assert(!is_plain<samples::padded>, "padding bytes are indeterminate");
static_assert(!is_plain<long double>, "padding bytes are indeterminate");
static_assert(!is_plain<std::array<samples::percentage, 2>>, "the elements have their own codec");
static_assert(!is_plain<std::span<int>> && !is_plain<std::string_view> && !is_plain<int*>);
static_assert(!is_plain<decltype([i = 0] { return i; })>, "a closure hides what it holds");
struct holds_pointer {
    int* to;
};
static_assert(!is_plain<holds_pointer>);

// Nothing can be bound to these: it is told before that would be tried.
using coproc::detail::find_obstacle;
using coproc::detail::obstacle;
struct flags {
    unsigned a : 3, b : 3, c : 3;
};
struct device_flags {
    volatile unsigned a : 3, b : 3, c : 3;
};
struct packed_registers {
    char kind;
    volatile int value;
} __attribute__((packed));
static_assert(find_obstacle<flags>() == obstacle::bit_field);
static_assert(find_obstacle<device_flags>() == obstacle::bit_field);
static_assert(find_obstacle<packed_registers>() == obstacle::bit_field);

namespace {

template <class T>
std::string hex(const T& value) {
    coproc::encoder out;
    out.write(value);
    std::string digits;
    for (const std::byte byte : out.bytes()) {
        char text[3];
        std::snprintf(text, sizeof text, "%02x", static_cast<unsigned>(byte));
        digits += text;
    }
    return digits;
}

} // namespace

TEST_CASE("numbers lie side by side", "[codec]") {
    CHECK(hex(std::tuple<std::uint8_t, std::uint32_t, bool>{1, 0x05040302, true}) ==
          "010203040501");
    CHECK(hex(samples::padded{'a', 2}) == "610200000000000000");
    CHECK(hex(samples::checked{true, samples::colour::green}) == "0101");
}

TEST_CASE("strings are a length and bytes", "[codec]") {
    CHECK(hex(std::string("abc")) == "0300000000000000616263");
}

TEST_CASE("vectors of plain elements are a length and an aligned block", "[codec]") {
    CHECK(hex(std::tuple<char, std::vector<std::uint16_t>>{'a', {1, 2}}) == "61"
                                                                            "0200000000000000"
                                                                            "00"
                                                                            "01000200");
    CHECK(hex(std::vector<samples::wide>(1)).size() == 2 * (16 + 32));
}

TEST_CASE("other vectors are a length and elements of at least one byte", "[codec]") {
    CHECK(hex(std::vector<bool>{true, false}) == "02000000000000000100");
    CHECK(hex(std::vector<samples::empty>(2)) == "02000000000000000000");
}

TEST_CASE("optionals say first whether there is a value", "[codec]") {
    CHECK(hex(std::optional<std::uint8_t>{}) == "00");
    CHECK(hex(std::optional<std::uint8_t>{9}) == "0109");
}

TEST_CASE("things without content take no bytes", "[codec]") {
    CHECK(hex(samples::empty{}).empty());
    CHECK(hex(std::tuple<>{}).empty());
}
