#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

namespace coproc::wire {

/// Memory for bytes that are about to be written: aligned to 16, never filled with zeros, and
/// resized by the allocator, which moves large blocks by remapping their pages.
class byte_buffer {
public:
    byte_buffer() = default;

    std::byte* data() noexcept { return memory_.get(); }
    const std::byte* data() const noexcept { return memory_.get(); }
    std::size_t capacity() const noexcept { return capacity_; }

    /// Keeps the first min(capacity(), bytes) bytes. Throws std::bad_alloc, and then nothing has
    /// changed. `bytes` is greater than zero.
    void reallocate(std::size_t bytes) {
        void* moved = std::realloc(memory_.get(), bytes);
        if (moved == nullptr) {
            throw std::bad_alloc();
        }
        static_cast<void>(memory_.release());
        memory_.reset(static_cast<std::byte*>(moved));
        capacity_ = bytes;
    }

    byte_buffer(byte_buffer&& other) noexcept
        : memory_(std::move(other.memory_)), capacity_(std::exchange(other.capacity_, 0)) {}
    byte_buffer& operator=(byte_buffer&& other) noexcept {
        memory_ = std::move(other.memory_);
        capacity_ = std::exchange(other.capacity_, 0);
        return *this;
    }

private:
    struct free_memory {
        void operator()(std::byte* memory) const noexcept { std::free(memory); }
    };

    static_assert(alignof(std::max_align_t) >= 16, "malloc aligns as payloads need it");

    std::unique_ptr<std::byte, free_memory> memory_;
    std::size_t capacity_ = 0;
};

} // namespace coproc::wire
