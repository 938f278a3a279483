#pragma once

// Values of which each can be read, skipped or dropped without the others: records in a message.

#include <coproc/detail/config.hpp>
#include <coproc/detail/decoder.hpp>
#include <coproc/detail/encoder.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace coproc::detail {

/// A record lies at a multiple of encoder::max_alignment: a word, `size << 8 | mark`, then `size`
/// bytes. So it can be moved to another such place, and blocks in it stay aligned.
struct COPROC_API records {
    static constexpr std::size_t head_bytes = sizeof(std::uint64_t);

    /// One that was read: where in the message its bytes are.
    struct place {
        std::uint8_t mark;
        std::size_t begin;
        std::size_t end;
    };

    /// Begins a record at the end of a message. The result is its number, for the others.
    static std::size_t open(encoder& out);
    /// What was written since is the record.
    static void close(encoder& out, std::size_t record, std::uint8_t mark) noexcept;
    /// What was written since open() is forgotten, the record stays.
    static void empty(encoder& out, std::size_t record) noexcept { cut(out, record + head_bytes); }
    /// Changes bytes that were written.
    static void overwrite(encoder& out, std::size_t at, const void* bytes,
                          std::size_t size) noexcept;
    /// Forgets all but the first `size` bytes.
    static void cut(encoder& out, std::size_t size) noexcept;

    /// Reads where the next record lies, and goes behind it. Throws decode_error.
    static place next(decoder& in);
    /// Reads the bytes of a record, or any other part of a message. The places are right.
    static decoder read(std::span<const std::byte> message, std::size_t begin, std::size_t end) {
        return decoder(message.data(), message.data() + begin, message.data() + end);
    }
    /// The whole message of a decoder.
    static std::span<const std::byte> message(const decoder& in) noexcept {
        return {in.begin_, in.end_};
    }
};

} // namespace coproc::detail
