#pragma once

#include <coproc/detail/config.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace coproc {

template <class T>
struct codec;

/// How many values may lie inside each other in one message, so that no message can overflow a
/// stack.
inline constexpr unsigned max_nesting = 64;

/**
 * @brief Says that a value cannot be put into a message.
 *
 * Codecs may throw it, and any other exception: the task then fails with `errc::encode_failed`.
 */
class COPROC_API encode_error : public std::runtime_error {
public:
    explicit encode_error(const std::string& what);
    ~encode_error() override;

    /// The message would be longer than the executor allows (`errc::too_large`).
    bool too_large() const noexcept { return too_large_; }

private:
    friend class encoder;
    bool too_large_ = false;
};

namespace detail {

class luggage;
struct drop_luggage;
struct luggage_access;
struct records;

struct free_bytes {
    void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
};

/// Bytes that an encoder wrote and gave away. They begin at a multiple of 16.
class payload {
public:
    payload() = default;
    payload(std::unique_ptr<std::byte, free_bytes> data, std::size_t size) noexcept
        : data_(std::move(data)), size_(size) {}
    payload(payload&& other) noexcept
        : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
    payload& operator=(payload&& other) noexcept {
        data_ = std::move(other.data_);
        size_ = std::exchange(other.size_, 0);
        return *this;
    }
    ~payload() = default;

    std::span<const std::byte> bytes() const noexcept { return {data_.get(), size_}; }
    std::size_t size() const noexcept { return size_; }

private:
    std::unique_ptr<std::byte, free_bytes> data_;
    std::size_t size_ = 0;
};

} // namespace detail

/**
 * @brief Writes values one after the other into a growing block of bytes.
 *
 * Numbers lie unaligned and in the machine's own byte order: both sides are the same build. Blocks
 * that the reader may look at in place are aligned, counted from the beginning of the message.
 *
 * An encoder that threw is good for `clear()` and for destruction.
 *
 * @par Thread safety        Distinct objects: safe. Shared objects: unsafe.
 */
class encoder {
public:
    /// The largest alignment of a block; messages begin at a multiple of it.
    static constexpr std::size_t max_alignment = 16;

    encoder() noexcept = default;
    /// @param max_bytes   What does not fit into so many bytes throws, marked as too large.
    explicit encoder(std::size_t max_bytes) noexcept : max_bytes_(max_bytes) {}
    encoder(encoder&& other) noexcept { swap(other); }
    encoder& operator=(encoder&& other) noexcept {
        swap(other);
        return *this;
    }
    ~encoder() { std::free(data_); }

    /**
     * @brief Writes a value through its codec.
     *
     * @throws encode_error   the value is nested too deep, or the message would be too large
     */
    template <class T>
    void write(const T& value);

    /// Writes bytes as they are, without their number, after zeros up to a multiple of `alignment`.
    void write_block(const void* bytes, std::size_t size, std::size_t alignment = 1) {
        align(alignment);
        std::byte* const place = extend(size);
        if (size != 0) {
            std::memcpy(place, bytes, size);
        }
    }

    /// Writes how many elements or bytes follow.
    void write_size(std::size_t size) {
        const std::uint64_t number = size;
        std::memcpy(extend(sizeof number), &number, sizeof number);
    }

    std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
    std::size_t size() const noexcept { return size_; }
    std::size_t max_bytes() const noexcept { return max_bytes_; }

    /// Forgets what was written and keeps the memory for the next message.
    void clear() noexcept {
        size_ = 0;
        depth_ = 0;
    }
    void clear(std::size_t max_bytes) noexcept {
        clear();
        max_bytes_ = max_bytes;
        usable_ = capacity_ < max_bytes ? capacity_ : max_bytes;
    }

    /// Gives away what was written, with its memory; the encoder is empty then.
    detail::payload release() noexcept {
        detail::payload given{std::unique_ptr<std::byte, detail::free_bytes>(data_), size_};
        data_ = nullptr;
        capacity_ = usable_ = 0;
        clear();
        return given;
    }

private:
    friend struct detail::luggage_access;
    friend struct detail::records;

    struct nesting {
        explicit nesting(encoder& out) : out_(out) {
            if (out_.depth_ == max_nesting) {
                out_.refuse_nesting();
            }
            ++out_.depth_;
        }
        nesting(const nesting&) = delete;
        ~nesting() { --out_.depth_; }
        encoder& out_;
    };

    void swap(encoder& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(usable_, other.usable_);
        std::swap(capacity_, other.capacity_);
        std::swap(max_bytes_, other.max_bytes_);
        std::swap(depth_, other.depth_);
    }

    /// Room for `size` bytes at the end, not yet written.
    std::byte* extend(std::size_t size) {
        if (usable_ - size_ < size) [[unlikely]] {
            grow(size);
        }
        std::byte* const place = data_ + size_;
        size_ += size;
        return place;
    }

    void align(std::size_t alignment) {
        assert(alignment != 0 && (alignment & (alignment - 1)) == 0 && alignment <= max_alignment);
        const std::size_t gap = -size_ & (alignment - 1);
        if (gap != 0) {
            std::memset(extend(gap), 0, gap);
        }
    }

    COPROC_API void grow(std::size_t size);
    [[noreturn]] COPROC_API void refuse_nesting() const;

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t usable_ = 0; // of the capacity, what the limit allows: one comparison serves both
    std::size_t capacity_ = 0;
    std::size_t max_bytes_ = SIZE_MAX;
    unsigned depth_ = 0;
    /// Where a submit takes what travels beside the bytes; null: this is no submit's.
    std::unique_ptr<detail::luggage, detail::drop_luggage>* luggage_ = nullptr;
};

} // namespace coproc
