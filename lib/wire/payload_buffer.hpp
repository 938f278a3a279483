#pragma once

#include "wire/byte_buffer.hpp"

#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

namespace coproc::wire {

/// A payload that owns its bytes. They begin at a multiple of 16.
class payload_buffer {
public:
    payload_buffer() = default;

    /// Copies.
    explicit payload_buffer(std::span<const std::byte> bytes) : size_(bytes.size()) {
        if (size_ != 0) {
            memory_.reallocate(size_);
            std::memcpy(memory_.data(), bytes.data(), size_);
        }
    }

    /// Takes over memory that holds the payload at `offset`, a multiple of 16.
    payload_buffer(byte_buffer memory, std::size_t offset, std::size_t size) noexcept
        : memory_(std::move(memory)), offset_(offset), size_(size) {}

    std::span<const std::byte> bytes() const noexcept {
        return size_ == 0 ? std::span<const std::byte>()
                          : std::span(memory_.data() + offset_, size_);
    }

    payload_buffer(payload_buffer&& other) noexcept
        : memory_(std::move(other.memory_)),
          offset_(std::exchange(other.offset_, 0)),
          size_(std::exchange(other.size_, 0)) {}
    payload_buffer& operator=(payload_buffer&& other) noexcept {
        memory_ = std::move(other.memory_);
        offset_ = std::exchange(other.offset_, 0);
        size_ = std::exchange(other.size_, 0);
        return *this;
    }

private:
    byte_buffer memory_;
    std::size_t offset_ = 0;
    std::size_t size_ = 0;
};

} // namespace coproc::wire
