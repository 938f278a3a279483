// Bytes that no encoder wrote: they give a value or decode_error, whatever they are.
#include "support/catch.hpp"
#include "unit/codec_samples.hpp"

#include <coproc/codec.hpp>

#include <cstring>
#include <functional>
#include <random>
#include <stdexcept>
#include <typeinfo>

namespace {

/// A message made by hand, aligned as messages are.
class message {
public:
    template <class... T>
    explicit message(const T&... values) {
        (bytes_.write(values), ...);
    }
    std::span<const std::byte> bytes() const { return bytes_.bytes(); }

private:
    coproc::encoder bytes_;
};

template <class T>
std::string refusal_of(const message& bytes) {
    coproc::decoder in(bytes.bytes());
    try {
        in.read<T>();
        in.finish();
    } catch (const coproc::decode_error& error) {
        return error.what();
    }
    return "accepted";
}

using size = std::uint64_t;

/// Records how much memory is asked for at once.
std::size_t largest_allocation = 0;
template <class T>
struct watching : std::allocator<T> {
    watching() = default;
    template <class U>
    watching(const watching<U>&) noexcept {}
    template <class U>
    struct rebind {
        using other = watching<U>;
    };
    T* allocate(std::size_t count) {
        largest_allocation = std::max(largest_allocation, count * sizeof(T));
        return std::allocator<T>::allocate(count);
    }
};

coproc::detail::payload mutated(std::span<const std::byte> original, std::mt19937& random) {
    std::vector<std::byte> bytes(original.begin(), original.end());
    const auto below = [&](std::size_t bound) { return random() % bound; };
    const unsigned changes = 1 + random() % 3;
    for (unsigned i = 0; i != changes; ++i) {
        const std::size_t place = below(bytes.size() + 1);
        switch (random() % 5) {
        case 0:
            bytes.resize(place);
            break;
        case 1:
            bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(place), std::byte(random()));
            break;
        case 2:
            if (place < bytes.size()) {
                bytes[place] ^= std::byte(1u << below(8));
            }
            break;
        case 3:
            if (place < bytes.size()) {
                bytes[place] = std::byte(random());
            }
            break;
        default: // lengths are where it hurts
            if (place + sizeof(size) <= bytes.size()) {
                const size number = below(2) == 0 ? size{random()} << below(33) : below(64);
                std::memcpy(bytes.data() + place, &number, sizeof number);
            }
        }
    }
    coproc::encoder out;
    out.write_block(bytes.data(), bytes.size());
    return out.release();
}

} // namespace

namespace {

/// Cannot be made.
struct fragile {
    explicit fragile(const char* why) { throw std::runtime_error(why); }
    fragile(const fragile&) noexcept(false) {}
};

} // namespace

template <>
struct coproc::codec<fragile> {
    static void encode(encoder&, const fragile&) {}
    static fragile decode(decoder&) { return fragile("decoded"); }
};

TEST_CASE("a refusal says what is wrong and where", "[decoder]") {
    CHECK(refusal_of<int>(message('a')) == "the message ends too early (at byte 0)");
    CHECK(refusal_of<bool>(message(std::uint8_t{2})) == "a bool is neither 0 nor 1 (at byte 0)");
    CHECK(refusal_of<samples::answer>(message(std::uint8_t{2})) ==
          "a bool is neither 0 nor 1 (at byte 0)");
    CHECK(refusal_of<char>(message('a', 'b')) == "bytes follow after the last value (at byte 1)");
    CHECK(refusal_of<std::pair<char, std::string>>(message('a', size{5}, 'b')) ==
          "a length exceeds the message (at byte 1)");
    CHECK(refusal_of<samples::percentage>(message(101)) ==
          "a percentage is out of range (at byte 4)");
}

TEST_CASE("a key that occurs twice is refused, and none of its values is lost unseen",
          "[decoder]") {
    using text = std::string;
    const message twice(size{2}, text("a"), 'x', text("a"), 'y', text("b"));
    CHECK(refusal_of<std::map<text, char>>(twice).starts_with("a key occurs twice"));
    CHECK(refusal_of<std::unordered_map<text, char>>(twice).starts_with("a key occurs twice"));
    const message thrice(size{3}, 1, 2, 1);
    CHECK(refusal_of<std::set<int>>(thrice) == "a key occurs twice (at byte 20)");
    CHECK(refusal_of<std::unordered_set<int>>(thrice) == "a key occurs twice (at byte 20)");
    CHECK(refusal_of<std::set<int>>(message(size{3}, 1, 2, 0)) == "accepted");
    CHECK(refusal_of<std::set<int, std::greater<>>>(message(size{3}, 1, 2, 0)) == "accepted");
}

TEST_CASE("an alternative that a variant does not have is refused", "[decoder]") {
    using number = std::variant<int, double>;
    for (const std::uint32_t index : {2u, 3u, 255u, 256u, ~0u}) {
        CHECK(refusal_of<number>(message(index, 1.5)) ==
              "a variant has no such alternative (at byte 0)");
    }
    CHECK(refusal_of<number>(message(std::uint32_t{1}, 1.5)) == "accepted");
    CHECK(refusal_of<number>(message(std::uint32_t{1}, 1)) ==
          "the message ends too early (at byte 4)");
}

TEST_CASE("a variant that has lost its value is not sent", "[encoder]") {
    std::variant<int, fragile> lost;
    CHECK_THROWS_AS(lost.emplace<fragile>("broken"), std::runtime_error);
    REQUIRE(lost.valueless_by_exception());
    coproc::encoder out;
    CHECK_THROWS_AS(out.write(lost), coproc::encode_error);
}

TEST_CASE("no length makes the decoder take memory for it", "[decoder]") {
    const std::string expected = "a length exceeds the message (at byte 0)";
    for (const size huge : {size{9}, size{1} << 40, size{1} << 61, ~size{0}}) {
        CHECK(refusal_of<std::string>(message(huge, size{})) == expected);
        CHECK(refusal_of<std::u32string>(message(huge, size{})) == expected);
        CHECK(refusal_of<std::vector<double>>(message(huge, size{})) == expected);
        CHECK(refusal_of<std::vector<std::string>>(message(huge, size{})) == expected);
        CHECK(refusal_of<std::vector<samples::empty>>(message(huge, size{})) == expected);
        CHECK(refusal_of<std::vector<bool>>(message(huge, size{})) == expected);
        CHECK(refusal_of<std::map<int, int>>(message(huge, size{})) == expected);
        CHECK(refusal_of<std::unordered_map<int, int>>(message(huge, size{})) == expected);
        CHECK(refusal_of<std::set<std::string>>(message(huge, size{})) == expected);
        CHECK(refusal_of<std::unordered_set<int>>(message(huge, size{})) == expected);
    }
}

TEST_CASE("no more memory is taken ahead than the message has bytes", "[decoder]") {
    using big = std::optional<std::array<std::int64_t, 100>>;
    const std::size_t claimed = 1000;
    message bytes(size{claimed}, std::array<std::uint8_t, claimed>{2});
    largest_allocation = 0;
    CHECK(refusal_of<std::vector<big, watching<big>>>(bytes) ==
          "a bool is neither 0 nor 1 (at byte 8)");
    CHECK(largest_allocation <= claimed + sizeof(big));

    // A table of buckets is taken ahead as well.
    using table = std::unordered_map<std::int64_t, bool, std::hash<std::int64_t>, std::equal_to<>,
                                     watching<std::pair<const std::int64_t, bool>>>;
    largest_allocation = 0;
    CHECK(refusal_of<table>(bytes) == "a key occurs twice (at byte 35)");
    CHECK(largest_allocation <= 4 * claimed);
}

TEST_CASE("deep values are refused before they fill the stack", "[decoder]") {
    coproc::encoder out;
    for (int i = 0; i != 100'000; ++i) { // a node: no name, one branch
        out.write(std::tuple<size, size>{0, 1});
    }
    coproc::decoder in(out.bytes());
    CHECK_THROWS_AS(in.read<samples::tree>(), coproc::decode_error);
}

TEST_CASE("every codec survives ten thousand broken messages", "[decoder]") {
    std::mt19937 random(20260118);
    samples::for_each([&](const auto& value) {
        using type = std::remove_cvref_t<decltype(value)>;
        INFO(typeid(type).name());
        coproc::encoder out;
        out.write(value);
        unsigned refused = 0;
        for (int i = 0; i != 10'000; ++i) {
            const coproc::detail::payload bytes = mutated(out.bytes(), random);
            coproc::decoder in(bytes.bytes());
            try {
                const type decoded = in.read<type>();
                in.finish();
                coproc::encoder again;
                again.write(decoded); // what was accepted is a value like any other
            } catch (const coproc::decode_error&) {
                ++refused;
            }
        }
        CHECK(refused > 1000);
    });
}
