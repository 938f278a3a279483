#pragma once

#include <coproc/detail/config.hpp>

#include <cstddef>

namespace coproc::detail {

/// Memory for what comes and goes with every task. Each thread keeps what it frees, up to a limit,
/// for what it allocates next. Aligned to 16. Throws std::bad_alloc.
[[nodiscard]] COPROC_API void* allocate_recycled(std::size_t bytes);
COPROC_API void free_recycled(void* memory, std::size_t bytes) noexcept;

/// The same as an allocator, in the place of std::allocator.
template <class T>
struct recycling_allocator {
    using value_type = T;

    recycling_allocator() = default;
    template <class Any>
    explicit recycling_allocator(const Any&) noexcept {}

    T* allocate(std::size_t n) { return static_cast<T*>(allocate_recycled(n * sizeof(T))); }
    void deallocate(T* memory, std::size_t n) noexcept { free_recycled(memory, n * sizeof(T)); }

    friend bool operator==(const recycling_allocator&, const recycling_allocator&) = default;
};

} // namespace coproc::detail
