#pragma once

#include "memory/extent.hpp"
#include "memory/extent_plan.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>

// The memory that this process shares with its workers: does what extent_plan decides.
namespace coproc::memory {

/// An extent with its number. It is closed when the arena and all arrays in it let it go.
struct numbered_extent : extent {
    numbered_extent(std::uint64_t n, extent made) : extent(std::move(made)), number(n) {}
    ~numbered_extent();

    const std::uint64_t number;
};

class arena;

/// A range that belongs to one array; given back when nobody has it any more.
class arena_array {
public:
    arena_array(arena&, std::shared_ptr<const numbered_extent>, array_place, std::size_t bytes,
                std::uint64_t number) noexcept;
    arena_array(const arena_array&) = delete;
    arena_array& operator=(const arena_array&) = delete;
    ~arena_array();

    const std::shared_ptr<const numbered_extent>& lies_in() const noexcept { return extent_; }
    std::uint64_t offset() const noexcept { return place_.offset; }
    /// Never used for another array.
    std::uint64_t number() const noexcept { return number_; }
    std::span<const std::byte> bytes() const noexcept {
        return extent_->bytes().subspan(static_cast<std::size_t>(place_.offset), size_);
    }
    std::byte* writable() const noexcept { return extent_->writable() + place_.offset; }

private:
    friend class arena;

    arena& home_;
    std::shared_ptr<const numbered_extent> extent_;
    const array_place place_;
    const std::size_t size_;
    const std::uint64_t number_;
};

using arena_array_ptr = std::shared_ptr<const arena_array>;

/**
 * @brief The process's memory for arrays.
 *
 * Never destroyed: static objects may hold arrays. A forked child has one of its own, since its
 * parent goes on to use what they share.
 *
 * @par Thread safety
 * Any thread. Its mutex is held for short, and nothing is called under it.
 */
class arena {
public:
    static arena& instance();

    /// Throws std::bad_alloc, and std::system_error. `bytes` is not 0.
    arena_array_ptr allocate(std::size_t bytes);

    /// The array with this number; null: it is not there any more.
    arena_array_ptr find(std::uint64_t number);

    /// How many extents have been closed: who remembers it sees that another one was.
    static std::uint64_t closings() noexcept { return closed.load(std::memory_order_acquire); }

private:
    friend class arena_array;
    friend struct numbered_extent;

    arena();

    array_place take(std::size_t bytes);
    void give_back(const arena_array&) noexcept;

    inline static std::atomic<std::uint64_t> closed = 0;

    const std::uint32_t fork_generation_;
    std::mutex mutex_;
    extent_plan plan_;
    std::map<std::uint64_t, std::shared_ptr<const numbered_extent>> extents_;
    std::map<std::uint64_t, std::weak_ptr<const arena_array>> arrays_;
    std::uint64_t last_number_ = 0;
};

} // namespace coproc::memory
