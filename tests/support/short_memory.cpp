#include "support/short_memory.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace coproc::test {

thread_local std::optional<unsigned> allocations_left;

static void* allocate(std::size_t size) noexcept {
    if (allocations_left) {
        if (*allocations_left == 0) {
            return nullptr;
        }
        --*allocations_left;
    }
    return std::malloc(size);
}

} // namespace coproc::test

void* operator new(std::size_t size) {
    void* const memory = coproc::test::allocate(size);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return coproc::test::allocate(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
