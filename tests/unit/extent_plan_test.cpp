#include "memory/extent_plan.hpp"

#include "support/catch.hpp"
#include "support/wire_samples.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

// Where arrays lie in the memory that is shared with workers.

using namespace coproc::memory;

namespace {

constexpr std::uint64_t kib = 1024;

} // namespace

TEST_CASE("ranges: an array takes whole units of 64 bytes") {
    CHECK(whole_units(1) == 64);
    CHECK(whole_units(64) == 64);
    CHECK(whole_units(65) == 128);
    CHECK(whole_units(max_array_bytes) == max_array_bytes);
}

TEST_CASE("ranges: the first range that is large enough") {
    free_ranges ranges(4 * kib);
    CHECK(ranges.take(kib) == std::uint64_t{0});
    CHECK(ranges.take(2 * kib) == kib);
    CHECK(ranges.take(kib) == 3 * kib);
    CHECK_FALSE(ranges.take(64));

    ranges.give_back(kib, 2 * kib);
    CHECK(ranges.take(kib) == kib);
    CHECK_FALSE(ranges.take(2 * kib));
    CHECK(ranges.take(kib) == 2 * kib);
    CHECK_FALSE(ranges.all_free());
}

TEST_CASE("ranges: what is given back joins its neighbours") {
    // In each order, the ranges of a full extent become one.
    std::vector<std::uint64_t> order{0, 1, 2, 3};
    do {
        free_ranges ranges(4 * kib);
        for (std::uint64_t i = 0; i < 4; ++i) {
            REQUIRE(ranges.take(kib) == i * kib);
        }
        for (const std::uint64_t i : order) {
            CHECK_FALSE(ranges.all_free());
            ranges.give_back(i * kib, kib);
        }
        CHECK(ranges.all_free());
        CHECK(ranges.count() == 1);
        CHECK(ranges.take(4 * kib) == std::uint64_t{0});
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("ranges: no two arrays overlap, whatever comes and goes") {
    struct held {
        std::uint64_t offset;
        std::uint64_t bytes;
    };
    test::seeded random(11);
    free_ranges ranges(256 * kib);
    std::vector<held> all;
    for (int step = 0; step < 20000; ++step) {
        if (random.one_in(2)) {
            const std::uint64_t bytes = 64 * (1 + random.below(200));
            const std::optional<std::uint64_t> offset = ranges.take(bytes);
            if (!offset) {
                continue;
            }
            const bool free = std::none_of(all.begin(), all.end(), [&](const held& other) {
                return *offset < other.offset + other.bytes && other.offset < *offset + bytes;
            });
            REQUIRE(free);
            REQUIRE(*offset % array_alignment == 0);
            REQUIRE(*offset + bytes <= ranges.bytes());
            all.push_back({*offset, bytes});
        } else if (!all.empty()) {
            const std::size_t which = random.below(all.size());
            ranges.give_back(all[which].offset, all[which].bytes);
            all.erase(all.begin() + static_cast<std::ptrdiff_t>(which));
        }
        REQUIRE(ranges.all_free() == all.empty());
        REQUIRE(ranges.count() <= all.size() + 1);
    }
    for (const held& each : all) {
        ranges.give_back(each.offset, each.bytes);
    }
    CHECK(ranges.count() == 1);
}

TEST_CASE("extents: one is made when none has room, the oldest is filled first") {
    extent_plan plan;
    CHECK_FALSE(plan.take(100));
    CHECK(extent_plan::new_extent_bytes(100) == normal_extent_bytes);
    CHECK(plan.add(normal_extent_bytes) == 1);
    CHECK(plan.take(100) == array_place{1, 0});
    CHECK(plan.take(1) == array_place{1, 128});

    CHECK_FALSE(plan.take(normal_extent_bytes));
    CHECK(plan.add(normal_extent_bytes) == 2);
    CHECK(plan.take(normal_extent_bytes) == array_place{2, 0});
    CHECK(plan.take(200) == array_place{1, 192});
}

TEST_CASE("extents: an array that is larger than an extent has one of its own size") {
    CHECK(extent_plan::new_extent_bytes(normal_extent_bytes + 1) == normal_extent_bytes + 64);
    extent_plan plan;
    const std::uint64_t bytes = 3 * normal_extent_bytes + 10;
    const std::uint64_t number = plan.add(extent_plan::new_extent_bytes(bytes));
    CHECK(plan.take(bytes) == array_place{number, 0});
    CHECK_FALSE(plan.take(1)); // nothing small may hold it open
    CHECK(plan.give_back({number, 0}, bytes));
    CHECK(plan.extents() == 0);
}

TEST_CASE("extents: one free extent of normal size is kept") {
    extent_plan plan;
    for (std::uint64_t number = 1; number <= 3; ++number) {
        REQUIRE(plan.add(normal_extent_bytes) == number);
        REQUIRE(plan.take(normal_extent_bytes) == array_place{number, 0});
    }
    CHECK_FALSE(plan.give_back({2, 0}, normal_extent_bytes));
    CHECK(plan.give_back({1, 0}, normal_extent_bytes));
    CHECK(plan.give_back({3, 0}, normal_extent_bytes));
    CHECK(plan.extents() == 1);

    // It is used again, and numbers are not.
    CHECK(plan.take(64) == array_place{2, 0});
    CHECK_FALSE(plan.take(normal_extent_bytes));
    CHECK(plan.add(normal_extent_bytes) == 4);
}

TEST_CASE("extents: one that still has an array stays") {
    extent_plan plan;
    plan.add(normal_extent_bytes);
    plan.add(normal_extent_bytes);
    const array_place first = *plan.take(normal_extent_bytes);
    const array_place second = *plan.take(64);
    const array_place third = *plan.take(64);
    CHECK_FALSE(plan.give_back(first, normal_extent_bytes));
    CHECK_FALSE(plan.give_back(second, 64));
    CHECK(plan.give_back(third, 64)); // the other one is free already
}
