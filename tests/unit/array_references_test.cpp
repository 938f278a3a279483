#include "array_source.hpp"

#include "support/catch.hpp"
#include "support/matchers.hpp"

#include <coproc/codecs/vector.hpp>
#include <coproc/detail/parameter.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

// References to shared arrays, as they stand in messages: what leads nowhere is refused.

namespace {

using namespace coproc::detail;
using coproc::decoder;
using coproc::encoder;

class some_memory final : public array_memory {
public:
    void pack(encoder&, std::span<const std::byte>) const override {}
};

/// One extent, number 7, of which tasks may look at 256 bytes from 1024 on.
class one_extent final : public array_source {
public:
    referred_memory find(const array_reference& to) const override {
        if (to.extent != 7) {
            return {.why_not = "there is no such memory"};
        }
        return {.memory = memory, .begin = 1024, .bytes = bytes};
    }

    alignas(64) std::array<std::byte, 256> bytes{};
    const array_ptr memory = std::make_shared<const some_memory>();
};

/// This thread decodes arguments meanwhile.
struct serving {
    explicit serving(const array_source& source) { this_threads_arrays = &source; }
    serving(const serving&) = delete;
    ~serving() { this_threads_arrays = nullptr; }
};

array_part read(const array_reference& to, std::size_t element_bytes = 4,
                std::size_t alignment = 4) {
    encoder out;
    write_reference(out, to);
    decoder in(out.bytes());
    array_part part = array_references::read(in, element_bytes, alignment);
    in.finish();
    return part;
}

std::string why_not(const array_reference& to, std::size_t element_bytes = 4,
                    std::size_t alignment = 4) {
    try {
        read(to, element_bytes, alignment);
    } catch (const coproc::decode_error& error) {
        return error.what();
    }
    return "it was read";
}

} // namespace

TEST_CASE("array reference: leads to the bytes that it names") {
    const one_extent extent;
    const serving here(extent);
    const array_part all = read({.extent = 7, .offset = 1024, .bytes = 256});
    CHECK(all.bytes.data() == extent.bytes.data());
    CHECK(all.bytes.size() == 256);
    CHECK(all.memory == extent.memory);
    const array_part some = read({.extent = 7, .offset = 1024 + 64, .bytes = 8});
    CHECK(some.bytes.data() == extent.bytes.data() + 64);
    CHECK(some.bytes.size() == 8);
}

TEST_CASE("array reference: an array without elements needs no memory") {
    encoder out;
    array_references::write(out, {});
    decoder in(out.bytes());
    CHECK(array_references::read(in, 8, 8).bytes.empty());
    CHECK(in.remaining() == 0);
}

TEST_CASE("array reference: what leads nowhere is refused with a sentence") {
    using test::contains_text;
    CHECK_THAT(why_not({.extent = 7, .offset = 1024, .bytes = 4}),
               contains_text("of use to a task only"));
    const one_extent extent;
    const serving here(extent);
    CHECK_THAT(why_not({.extent = 8, .offset = 1024, .bytes = 4}),
               contains_text("is not there: there is no such memory"));
    const std::string exceeds = "exceeds the memory";
    CHECK_THAT(why_not({.extent = 7, .offset = 1024, .bytes = 260}), contains_text(exceeds));
    CHECK_THAT(why_not({.extent = 7, .offset = 1020, .bytes = 4}), contains_text(exceeds));
    CHECK_THAT(why_not({.extent = 7, .offset = 0, .bytes = 4}), contains_text(exceeds));
    CHECK_THAT(why_not({.extent = 7, .offset = 1280, .bytes = 4}), contains_text(exceeds));
    CHECK_THAT(why_not({.extent = 7, .offset = 1284, .bytes = 0}), contains_text(exceeds));
    CHECK_THAT(why_not({.extent = 7, .offset = 1024, .bytes = UINT64_MAX}), contains_text(exceeds));
    CHECK_THAT(why_not({.extent = 7, .offset = UINT64_MAX - 3, .bytes = 8}),
               contains_text(exceeds));
    const std::string other = "elements of another type";
    CHECK_THAT(why_not({.extent = 7, .offset = 1024, .bytes = 6}), contains_text(other));
    CHECK_THAT(why_not({.extent = 7, .offset = 1028, .bytes = 8}, 8, 8), contains_text(other));
}

TEST_CASE("array reference: a message that ends within one") {
    const one_extent extent;
    const serving here(extent);
    encoder out;
    write_reference(out, {.extent = 7, .offset = 1024, .bytes = 256});
    for (std::size_t size = 0; size < out.size(); ++size) {
        decoder in(out.bytes().first(size));
        CHECK_THROWS_AS(array_references::read(in, 4, 4), coproc::decode_error);
    }
}

TEST_CASE("array reference: a span is elements of the message, or a reference") {
    using view = parameter<std::span<const int>>;
    const one_extent extent;
    const serving here(extent);
    const std::vector<int> numbers{1, 2, 3};
    encoder out;
    view::encode(out, std::span<const int>(numbers));
    out.write_size(UINT64_MAX); // what marks a reference
    write_reference(out, {.extent = 7, .offset = 1024, .bytes = 40});
    view::encode(out, std::span<const int>());
    decoder in(out.bytes());
    view::held elements = view::decode(in);
    view::held shared = view::decode(in);
    view::held none = view::decode(in);
    in.finish();
    CHECK((std::vector<int>(elements.view.begin(), elements.view.end()) == numbers));
    CHECK(elements.memory == nullptr);
    CHECK(static_cast<const void*>(shared.view.data()) == extent.bytes.data());
    CHECK(shared.view.size() == 10);
    CHECK(shared.memory == extent.memory);
    CHECK(none.view.empty());

    // A view of a fixed number of elements is never one.
    encoder second;
    second.write_size(UINT64_MAX);
    write_reference(second, {.extent = 7, .offset = 1024, .bytes = 40});
    decoder fixed(second.bytes());
    CHECK_THROWS_AS((parameter<std::span<const int, 10>>::decode(fixed)), coproc::decode_error);
}
