// What goes in comes out, for every type that has a codec.
#include "support/catch.hpp"
#include "unit/codec_samples.hpp"

#include <coproc/codec.hpp>

#include <cmath>
#include <typeinfo>

namespace {

template <class T>
T trip(const T& value) {
    coproc::encoder out;
    out.write(value);
    coproc::decoder in(out.bytes());
    T decoded = in.read<T>();
    in.finish();
    return decoded;
}

} // namespace

TEST_CASE("every value comes back as it was", "[codec]") {
    samples::for_each([](const auto& value) {
        INFO(typeid(value).name());
        CHECK((trip(value) == value));
    });
}

TEST_CASE("values that follow each other come back in order", "[codec]") {
    coproc::encoder out;
    samples::for_each([&](const auto& value) { out.write(value); });
    coproc::decoder in(out.bytes());
    samples::for_each([&](const auto& value) {
        INFO(typeid(value).name());
        CHECK((in.read<std::remove_cvref_t<decltype(value)>>() == value));
    });
    in.finish();
}

TEST_CASE("floating-point numbers keep what == does not see", "[codec]") {
    CHECK(std::signbit(trip(-0.0)));
    CHECK(std::isnan(trip(std::nan(""))));
    CHECK(std::isinf(trip(std::numeric_limits<double>::infinity())));
}

TEST_CASE("an enumeration arrives with values that have no name", "[codec]") {
    CHECK(trip(static_cast<samples::colour>(200)) == static_cast<samples::colour>(200));
    enum old_style { first, second };
    CHECK(trip(second) == second);
}

TEST_CASE("strings keep zeros inside", "[codec]") {
    const std::string text("a\0b", 3);
    CHECK(trip(text) == text);
}

TEST_CASE("large values come back", "[codec]") {
    std::vector<double> numbers(1'000'000);
    for (std::size_t i = 0; i != numbers.size(); ++i) {
        numbers[i] = static_cast<double>(i);
    }
    CHECK(trip(numbers) == numbers);
}
