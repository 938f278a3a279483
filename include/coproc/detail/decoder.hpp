#pragma once

#include <coproc/detail/config.hpp>
#include <coproc/detail/encoder.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>

namespace coproc {

namespace detail {
struct array_references;
struct records;
} // namespace detail

/**
 * @brief Says that bytes from the other side are not the values that they should be.
 *
 * The message names what was wrong and at which byte.
 */
class COPROC_API decode_error : public std::runtime_error {
public:
    decode_error(const std::string& what, std::size_t position);
    ~decode_error() override;

    /// The byte of the message, counted from 0, that is wrong or missing.
    std::size_t position() const noexcept { return position_; }

private:
    std::size_t position_;
};

/**
 * @brief Reads the values of a message in the order in which an encoder wrote them.
 *
 * Trusts no byte: every length is compared with what is left before anything is allocated, and
 * values nested deeper than `max_nesting` are refused. What does not fit throws `decode_error`.
 *
 * @par Object lifetimes     The bytes are looked at in place and must outlive the decoder and every
 *                           view that it gave.
 * @par Thread safety        Distinct objects: safe. Shared objects: unsafe.
 */
class decoder {
public:
    /// @param bytes   A whole message; begins at a multiple of `encoder::max_alignment`.
    explicit decoder(std::span<const std::byte> bytes) noexcept
        : begin_(bytes.data()), next_(bytes.data()), end_(bytes.data() + bytes.size()) {
        assert(reinterpret_cast<std::uintptr_t>(begin_) % encoder::max_alignment == 0);
    }
    decoder(const decoder&) = delete;
    decoder& operator=(const decoder&) = delete;
    ~decoder() = default;

    /// Reads a value through its codec.
    template <class T>
    T read();

    /// A view of the next `size` bytes, after the zeros up to a multiple of `alignment`.
    std::span<const std::byte> read_block(std::size_t size, std::size_t alignment = 1) {
        skip_gap(alignment);
        if (size > remaining()) [[unlikely]] {
            fail("the message ends too early");
        }
        const std::byte* const block = next_;
        next_ += size;
        return {block, size};
    }

    /// Reads what `encoder::write_size` wrote, for things that take at least `each` bytes.
    std::size_t read_size(std::size_t each = 1) {
        std::uint64_t number = 0;
        std::memcpy(&number, read_block(sizeof number).data(), sizeof number);
        if (number > remaining() / each) [[unlikely]] {
            fail("a length exceeds the message", position() - sizeof number);
        }
        return static_cast<std::size_t>(number);
    }

    /// How many bytes are left.
    std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - next_); }
    /// The number of the next byte, counted from 0.
    std::size_t position() const noexcept { return static_cast<std::size_t>(next_ - begin_); }

    /// Throws if bytes are left: the message is not what it should be.
    void finish() const {
        if (next_ != end_) [[unlikely]] {
            fail("bytes follow after the last value");
        }
    }

    /// Throws `decode_error`, for codecs that check values.
    [[noreturn]] COPROC_API void fail(const char* what, std::size_t position) const;
    [[noreturn]] void fail(const char* what) const { fail(what, position()); }

private:
    friend struct detail::array_references;
    friend struct detail::records;

    /// Reads a part of a message; places are still counted from the beginning of the whole.
    decoder(const std::byte* begin, const std::byte* next, const std::byte* end) noexcept
        : begin_(begin), next_(next), end_(end) {}

    struct nesting {
        explicit nesting(decoder& in) : in_(in) {
            if (in_.depth_ == max_nesting) {
                in_.fail("values are nested too deep");
            }
            ++in_.depth_;
        }
        nesting(const nesting&) = delete;
        ~nesting() { --in_.depth_; }
        decoder& in_;
    };

    void skip_gap(std::size_t alignment) {
        assert(alignment != 0 && (alignment & (alignment - 1)) == 0);
        const std::size_t gap = -position() & (alignment - 1);
        if (gap > remaining()) [[unlikely]] {
            fail("the message ends too early");
        }
        next_ += gap;
    }

    const std::byte* begin_;
    const std::byte* next_;
    const std::byte* end_;
    unsigned depth_ = 0;
};

} // namespace coproc
