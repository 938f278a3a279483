#include "wire/frame.hpp"

namespace coproc::wire {

const char* describe(frame_error error) noexcept {
    switch (error) {
    case frame_error::none:
        return "the frame is well-formed";
    case frame_error::reserved_not_zero:
        return "the reserved word of a frame header is not zero";
    case frame_error::envelope_not_words:
        return "the envelope of a frame is not a whole number of words";
    case frame_error::envelope_too_large:
        return "the envelope of a frame is larger than 64 KiB";
    case frame_error::envelope_missing:
        return "a frame has a payload and no envelope";
    case frame_error::frame_too_large:
        return "a frame is larger than the receiver takes";
    case frame_error::truncated:
        return "a frame ends too early";
    case frame_error::trailing_bytes:
        return "there are bytes after the end of a frame";
    case frame_error::ring_broken:
        return "the tail of a reply ring is impossible";
    case frame_error::doorbell_in_ring:
        return "a reply ring holds a doorbell";
    }
    return "the frame is malformed in an unknown way";
}

frame_event parse_frame(std::span<const std::byte> bytes, std::uint64_t max_frame_bytes) noexcept {
    const auto malformed = [](frame_error error) {
        return frame_event{.kind = frame_kind::malformed, .error = error};
    };
    if (bytes.size() < header_bytes) {
        return malformed(frame_error::truncated);
    }
    const frame_header header = load_header(bytes.data());
    if (const frame_error error = check_header(header, max_frame_bytes);
        error != frame_error::none) {
        return malformed(error);
    }
    const frame_layout layout = layout_of(header);
    if (bytes.size() != layout.frame_bytes) {
        return malformed(bytes.size() < layout.frame_bytes ? frame_error::truncated
                                                           : frame_error::trailing_bytes);
    }
    if (is_doorbell(header)) {
        return {.kind = frame_kind::doorbell};
    }
    return {.kind = frame_kind::complete,
            .frame = {bytes.subspan(header_bytes, layout.envelope_bytes),
                      bytes.subspan(layout.payload_offset, layout.payload_bytes)}};
}

} // namespace coproc::wire
