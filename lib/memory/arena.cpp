#include "memory/arena.hpp"

#include "process/fork_guard.hpp"

#include <new>
#include <string>
#include <system_error>
#include <utility>

namespace coproc::memory {

numbered_extent::~numbered_extent() { arena::closed.fetch_add(1, std::memory_order_acq_rel); }

arena_array::arena_array(arena& home, std::shared_ptr<const numbered_extent> extent,
                         array_place place, std::size_t bytes, std::uint64_t number) noexcept
    : home_(home), extent_(std::move(extent)), place_(place), size_(bytes), number_(number) {}

arena_array::~arena_array() { home_.give_back(*this); }

arena::arena() : fork_generation_(process::fork_generation()) {}

arena& arena::instance() {
    static std::atomic<arena*> current = nullptr;
    arena* found = current.load(std::memory_order_acquire);
    while (found == nullptr || found->fork_generation_ != process::fork_generation()) {
        auto made = std::unique_ptr<arena>(new arena);
        if (current.compare_exchange_strong(found, made.get(), std::memory_order_acq_rel)) {
            found = made.release();
        }
    }
    return *found;
}

arena_array_ptr arena::allocate(std::size_t bytes) {
    if (bytes > max_array_bytes) {
        throw std::bad_alloc();
    }
    const std::lock_guard lock(mutex_);
    const std::uint64_t number = ++last_number_;
    const auto entry = arrays_.try_emplace(number).first;
    array_place place;
    try {
        place = take(bytes);
    } catch (...) {
        arrays_.erase(entry);
        throw;
    }
    try {
        auto made = std::make_shared<const arena_array>(*this, extents_.at(place.extent), place,
                                                        bytes, number);
        entry->second = made;
        return made;
    } catch (...) {
        arrays_.erase(entry);
        if (plan_.give_back(place, bytes)) {
            extents_.erase(place.extent);
        }
        throw;
    }
}

// Under the mutex.
array_place arena::take(std::size_t bytes) {
    if (const std::optional<array_place> place = plan_.take(bytes)) {
        return *place;
    }
    const auto size = static_cast<std::size_t>(extent_plan::new_extent_bytes(bytes));
    auto made = extent::create(size);
    if (const auto* const failed = std::get_if<page_error>(&made)) {
        throw std::system_error(failed->error, std::generic_category(),
                                "coproc: there is no memory for a shared_buffer: " +
                                    std::string(failed->step));
    }
    const std::uint64_t number = plan_.add(size);
    try {
        extents_.emplace(number, std::make_shared<const numbered_extent>(
                                     number, std::get<extent>(std::move(made))));
        return *plan_.take(bytes);
    } catch (...) {
        extents_.erase(number);
        plan_.abandon(number);
        throw;
    }
}

arena_array_ptr arena::find(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    const auto found = arrays_.find(number);
    return found == arrays_.end() ? nullptr : found->second.lock();
}

void arena::give_back(const arena_array& array) noexcept {
    if (fork_generation_ != process::fork_generation()) {
        return; // the parent's; another thread of it may have held the mutex
    }
    const std::lock_guard lock(mutex_);
    arrays_.erase(array.number_);
    if (plan_.give_back(array.place_, array.size_)) {
        extents_.erase(array.place_.extent); // the array has it still, and closes it without mutex
    }
}

} // namespace coproc::memory
