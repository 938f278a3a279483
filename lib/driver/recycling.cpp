#include "coproc/detail/recycling.hpp"

#include <array>
#include <new>
#include <utility>

// A list of free blocks for each size and thread. glibc's own cache keeps seven of a size, and a
// thousand tasks in flight need a thousand.
namespace coproc::detail {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool recycle = false; // so that a use after free is seen
#else
constexpr bool recycle = true;
#endif

constexpr std::size_t size_step = 64;
constexpr std::size_t sizes = 8;
constexpr unsigned kept = 1024; // blocks of a size

struct free_block {
    free_block* next;
};

struct free_lists {
    std::array<free_block*, sizes> first{};
    std::array<unsigned, sizes> count{};

    ~free_lists();
};

// A pointer, because it costs one load where an object with a destructor costs a call. Null: not
// made yet; or, at the end of the thread, not any more.
thread_local constinit free_lists* mine [[gnu::tls_model("initial-exec")]] = nullptr;
thread_local constinit bool ended [[gnu::tls_model("initial-exec")]] = false;

free_lists::~free_lists() {
    mine = nullptr;
    ended = true;
    for (free_block* block : first) {
        while (block != nullptr) {
            ::operator delete(std::exchange(block, block->next));
        }
    }
}

free_lists* lists() {
    if (mine == nullptr && !ended) {
        thread_local free_lists owned;
        mine = &owned;
    }
    return mine;
}

} // namespace

void* allocate_recycled(std::size_t bytes) {
    const std::size_t size = (bytes - 1) / size_step;
    if (!recycle || size >= sizes) {
        return ::operator new(bytes);
    }
    free_lists* const l = lists();
    if (l == nullptr || l->first[size] == nullptr) {
        return ::operator new((size + 1) * size_step);
    }
    --l->count[size];
    return std::exchange(l->first[size], l->first[size]->next);
}

void free_recycled(void* memory, std::size_t bytes) noexcept {
    const std::size_t size = (bytes - 1) / size_step;
    if (recycle && size < sizes) {
        free_lists* const l = lists();
        if (l != nullptr && l->count[size] < kept) {
            ++l->count[size];
            l->first[size] = new (memory) free_block{l->first[size]};
            return;
        }
    }
    ::operator delete(memory);
}

} // namespace coproc::detail
