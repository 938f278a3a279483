#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

// Where arrays lie in the memory that the parent shares with its workers: a list of extents, and
// the free ranges of each. Pure: the memory itself is arena.hpp's.
namespace coproc::memory {

/// Arrays begin at a multiple of it and take a multiple of it.
inline constexpr std::uint64_t array_alignment = 64;

/// What an extent has unless a single array is larger.
inline constexpr std::uint64_t normal_extent_bytes = std::uint64_t{64} << 20;

/// No array is larger: so sums of sizes do not overflow.
inline constexpr std::uint64_t max_array_bytes = std::uint64_t{1} << 46;

/// What an array of so many bytes, at most max_array_bytes, takes.
constexpr std::uint64_t whole_units(std::uint64_t bytes) noexcept {
    return (bytes + (array_alignment - 1)) & ~(array_alignment - 1);
}

/// The free ranges of one extent, none of which touch each other.
class free_ranges {
public:
    explicit free_ranges(std::uint64_t bytes) : bytes_(bytes), free_{{0, bytes}} {}

    /// The first range that is large enough, from its beginning on. `bytes` are whole units.
    std::optional<std::uint64_t> take(std::uint64_t bytes);
    /// What take() gave.
    void give_back(std::uint64_t offset, std::uint64_t bytes) noexcept;

    bool all_free() const noexcept { return taken_ == 0; }
    std::uint64_t bytes() const noexcept { return bytes_; }
    std::size_t count() const noexcept { return free_.size(); }

private:
    struct range {
        std::uint64_t begin;
        std::uint64_t end;
    };

    std::uint64_t bytes_;
    std::vector<range> free_; // in order; there is room for one more than ranges are taken
    std::size_t taken_ = 0;   // ranges
};

/// Where an array lies.
struct array_place {
    std::uint64_t extent = 0; ///< its number, from 1 on, and never used again
    std::uint64_t offset = 0;

    friend bool operator==(const array_place&, const array_place&) = default;
};

/**
 * @brief Decides which extents there are and what lies where in them.
 *
 * Older extents are filled first, so that younger ones become free. Of those that are free one of
 * normal size is kept, since memory that has been touched is several times faster than new memory;
 * every other one is to be closed at once.
 *
 * @par Thread safety
 * Distinct objects: safe. Shared objects: unsafe.
 */
class extent_plan {
public:
    /// Takes a place in an extent that is there. None: one is missing, of new_extent_bytes().
    /// Throws std::bad_alloc. `bytes` is between 1 and max_array_bytes.
    std::optional<array_place> take(std::uint64_t bytes);

    /// The size of an extent for such an array.
    static std::uint64_t new_extent_bytes(std::uint64_t bytes) noexcept;

    /// There is a new extent; the result is its number. Throws std::bad_alloc.
    std::uint64_t add(std::uint64_t bytes);
    /// That extent is not there, and no array lies in it.
    void abandon(std::uint64_t number) noexcept { extents_.erase(number); }

    /// What take() gave. true: the extent is to be closed; it is not in the plan any more.
    [[nodiscard]] bool give_back(array_place, std::uint64_t bytes) noexcept;

    std::size_t extents() const noexcept { return extents_.size(); }

private:
    std::map<std::uint64_t, free_ranges> extents_; // by number
    std::uint64_t last_number_ = 0;
};

} // namespace coproc::memory
