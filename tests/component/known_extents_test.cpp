#include "driver/known_extents.hpp"

#include "support/catch.hpp"

#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <variant>
#include <vector>

// What a worker knows of the memory that arrays lie in.

using coproc::detail::known_extents;
using coproc::memory::extent;
using coproc::memory::numbered_extent;

namespace {

std::shared_ptr<const numbered_extent> make(std::uint64_t number) {
    auto made = extent::create(4096);
    REQUIRE(std::holds_alternative<extent>(made));
    return std::make_shared<const numbered_extent>(number, std::get<extent>(std::move(made)));
}

} // namespace

TEST_CASE("a worker is told of each closed extent once, also if there was no memory at first") {
    known_extents known;
    std::vector<std::shared_ptr<const numbered_extent>> extents;
    for (std::uint64_t number = 1; number <= 6; ++number) {
        extents.push_back(make(number));
        CHECK(known.add(extents.back()));
    }
    extents[0].reset();
    extents[2].reset();
    extents[4].reset();

    std::vector<std::uint64_t> told;
    const auto with_room_for = [&](std::size_t most) {
        return [&told, most](std::uint64_t number) {
            if (told.size() == most) {
                throw std::bad_alloc();
            }
            told.push_back(number);
        };
    };
    CHECK_THROWS_AS(known.forget_closed(with_room_for(2)), std::bad_alloc);
    CHECK((told == std::vector<std::uint64_t>{1, 3}));
    for (const std::size_t open : {1, 3, 5}) {
        CHECK_FALSE(known.add(extents[open]));
    }

    known.forget_closed(with_room_for(3));
    CHECK((told == std::vector<std::uint64_t>{1, 3, 5}));
    known.forget_closed(with_room_for(3));
    CHECK(told.size() == 3);
    for (const std::size_t open : {1, 3, 5}) {
        CHECK_FALSE(known.add(extents[open]));
    }
}
