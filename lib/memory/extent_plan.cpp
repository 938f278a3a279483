#include "memory/extent_plan.hpp"

#include <algorithm>
#include <cassert>

namespace coproc::memory {

std::optional<std::uint64_t> free_ranges::take(std::uint64_t bytes) {
    assert(bytes > 0 && bytes % array_alignment == 0);
    // So that giving back never needs memory: n taken ranges leave at most n + 1 free ones.
    if (free_.capacity() < taken_ + 2) {
        free_.reserve(2 * (taken_ + 2));
    }
    const auto found = std::find_if(free_.begin(), free_.end(),
                                    [bytes](const range& r) { return r.end - r.begin >= bytes; });
    if (found == free_.end()) {
        return std::nullopt;
    }
    const std::uint64_t offset = found->begin;
    found->begin += bytes;
    if (found->begin == found->end) {
        free_.erase(found);
    }
    ++taken_;
    return offset;
}

void free_ranges::give_back(std::uint64_t offset, std::uint64_t bytes) noexcept {
    assert(taken_ > 0 && offset + bytes <= bytes_);
    --taken_;
    const auto after =
        std::lower_bound(free_.begin(), free_.end(), offset,
                         [](const range& r, std::uint64_t place) { return r.begin < place; });
    const bool joins_after = after != free_.end() && after->begin == offset + bytes;
    if (after != free_.begin() && std::prev(after)->end == offset) {
        std::prev(after)->end = joins_after ? after->end : offset + bytes;
        if (joins_after) {
            free_.erase(after);
        }
    } else if (joins_after) {
        after->begin = offset;
    } else {
        assert(free_.size() < free_.capacity());
        free_.insert(after, range{offset, offset + bytes});
    }
}

std::uint64_t extent_plan::new_extent_bytes(std::uint64_t bytes) noexcept {
    return std::max(normal_extent_bytes, whole_units(bytes));
}

std::optional<array_place> extent_plan::take(std::uint64_t bytes) {
    for (auto& [number, ranges] : extents_) {
        if (const std::optional<std::uint64_t> offset = ranges.take(whole_units(bytes))) {
            return array_place{number, *offset};
        }
    }
    return std::nullopt;
}

std::uint64_t extent_plan::add(std::uint64_t bytes) {
    extents_.emplace(last_number_ + 1, free_ranges(bytes));
    return ++last_number_;
}

bool extent_plan::give_back(array_place place, std::uint64_t bytes) noexcept {
    const auto found = extents_.find(place.extent);
    assert(found != extents_.end());
    found->second.give_back(place.offset, whole_units(bytes));
    if (!found->second.all_free()) {
        return false;
    }
    const bool another = std::any_of(extents_.begin(), extents_.end(), [&](const auto& other) {
        return other.first != place.extent && other.second.all_free();
    });
    if (!another && found->second.bytes() == normal_extent_bytes) {
        return false;
    }
    extents_.erase(found);
    return true;
}

} // namespace coproc::memory
