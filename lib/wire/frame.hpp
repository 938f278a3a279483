#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

// The form of a frame: what protocol.capnp says about it, as arithmetic that no size can overflow.
namespace coproc::wire {

static_assert(std::endian::native == std::endian::little, "frame headers are written as they are");

/// The first bytes of every frame.
struct frame_header {
    std::uint32_t envelope_bytes = 0;
    std::uint32_t zero = 0;
    std::uint64_t payload_bytes = 0;
};

inline constexpr std::size_t header_bytes = sizeof(frame_header);
inline constexpr std::size_t frame_alignment = 16;
inline constexpr std::uint32_t max_envelope_bytes = 64 * 1024;

/// No limit on the size of a frame may be greater: so a sum of sizes within it does not overflow.
inline constexpr std::uint64_t greatest_frame_limit = std::uint64_t{1} << 62;

static_assert(header_bytes == 16 && header_bytes % frame_alignment == 0);

/// Why bytes are not a frame.
enum class frame_error : std::uint8_t {
    none,
    reserved_not_zero,  ///< the header's second word
    envelope_not_words, ///< its size is no multiple of eight
    envelope_too_large, ///< more than max_envelope_bytes
    envelope_missing,   ///< a payload, and nothing that says whose
    frame_too_large,    ///< more than the receiver takes
    truncated,          ///< a span that should hold one frame ends before the frame does
    trailing_bytes,     ///< a span that should hold one frame goes on after it
    ring_broken,        ///< a reply ring whose tail is where it cannot be
    doorbell_in_ring,   ///< a doorbell where only replies belong
};

/// One sentence for a person.
const char* describe(frame_error error) noexcept;

/// Where the parts of a frame are. The envelope begins at header_bytes.
struct frame_layout {
    std::size_t envelope_bytes;
    std::size_t payload_offset;
    std::size_t payload_bytes;
    std::size_t frame_bytes;
};

/// Rounds up to the next multiple of 16. `bytes` is at most greatest_frame_limit.
constexpr std::uint64_t padded(std::uint64_t bytes) noexcept {
    return (bytes + (frame_alignment - 1)) & ~std::uint64_t{frame_alignment - 1};
}

/// The zeros that follow a payload of this size.
constexpr std::size_t padding_after(std::uint64_t bytes) noexcept {
    return static_cast<std::size_t>(-bytes & (frame_alignment - 1));
}

/// Decides whether a header, every bit of which may be hostile, announces a frame of at most
/// `max_frame_bytes`.
constexpr frame_error check_header(const frame_header& header,
                                   std::uint64_t max_frame_bytes) noexcept {
    if (header.zero != 0) {
        return frame_error::reserved_not_zero;
    }
    if (header.envelope_bytes % 8 != 0) {
        return frame_error::envelope_not_words;
    }
    if (header.envelope_bytes > max_envelope_bytes) {
        return frame_error::envelope_too_large;
    }
    if (header.envelope_bytes == 0 && header.payload_bytes != 0) {
        return frame_error::envelope_missing;
    }
    const std::uint64_t head = header_bytes + padded(header.envelope_bytes);
    if (header.payload_bytes > max_frame_bytes ||
        head + padded(header.payload_bytes) > max_frame_bytes) {
        return frame_error::frame_too_large;
    }
    return frame_error::none;
}

/// The layout that a header describes. check_header has accepted it.
constexpr frame_layout layout_of(const frame_header& header) noexcept {
    const std::uint64_t head = header_bytes + padded(header.envelope_bytes);
    return {static_cast<std::size_t>(header.envelope_bytes), static_cast<std::size_t>(head),
            static_cast<std::size_t>(header.payload_bytes),
            static_cast<std::size_t>(head + padded(header.payload_bytes))};
}

/// A doorbell carries nothing and says: look at the shared page.
constexpr bool is_doorbell(const frame_header& header) noexcept {
    return header.envelope_bytes == 0 && header.payload_bytes == 0;
}

/// The bytes of a doorbell.
inline constexpr std::byte doorbell_frame[header_bytes] = {};

/// Where the zeros after a payload come from.
inline constexpr std::byte zeros[frame_alignment] = {};

/// Reads a header from at least header_bytes bytes.
inline frame_header load_header(const std::byte* from) noexcept {
    frame_header header;
    std::memcpy(&header, from, header_bytes);
    return header;
}

/// A frame in memory that somebody else owns; payload is aligned to 16 and envelope to 8 or better.
struct frame {
    std::span<const std::byte> envelope;
    std::span<const std::byte> payload;
};

/// What a piece of a stream of frames turned out to be.
enum class frame_kind : std::uint8_t {
    need_more, ///< the next frame is not there yet
    complete,  ///< a frame
    doorbell,  ///< a frame that carries nothing
    malformed, ///< nothing that follows has a meaning
};

/// A kind with what belongs to it: `frame` for complete, `error` for malformed.
struct frame_event {
    frame_kind kind = frame_kind::need_more;
    frame_error error = frame_error::none;
    wire::frame frame{};
};

/**
 * @brief Takes apart a span that holds exactly one frame.
 *
 * @param bytes Aligned to 16, and private: nobody else writes to it.
 * @param max_frame_bytes A longer frame is malformed; at most greatest_frame_limit.
 * @return complete, doorbell or malformed.
 */
frame_event parse_frame(std::span<const std::byte> bytes, std::uint64_t max_frame_bytes) noexcept;

} // namespace coproc::wire
