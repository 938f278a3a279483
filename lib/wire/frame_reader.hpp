#pragma once

#include "wire/byte_buffer.hpp"
#include "wire/frame.hpp"
#include "wire/payload_buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace coproc::wire {

/**
 * @brief Turns a stream of bytes, in whatever pieces it arrives, into frames.
 *
 * Read into prepare(), tell how much with commit(), then call next() until it says need_more. A
 * frame points into the reader's buffer and stays valid until the next prepare() or take_payload().
 *
 * The buffer has 64 KiB. For a larger frame it grows as the frame's bytes really arrive, so a
 * header alone makes it allocate nothing, and when that frame has been consumed it is small again.
 * Its size is never more than four times what has arrived, nor more than the limit.
 *
 * @par Thread safety
 * Distinct objects: safe. Shared objects: unsafe.
 */
class frame_reader {
public:
    /// What the buffer has unless a larger frame is on its way.
    static constexpr std::size_t normal_capacity = 64 * 1024;

    /// `max_frame_bytes` is at most greatest_frame_limit; a longer frame is malformed.
    explicit frame_reader(std::uint64_t max_frame_bytes) noexcept;

    /// Where to read the next bytes into; never empty. The last next() said need_more, or there was
    /// none yet. Throws std::bad_alloc.
    std::span<std::byte> prepare();

    /// `bytes` of what prepare() gave have been filled.
    void commit(std::size_t bytes) noexcept;

    /**
     * @brief Leaves out the frame that prepare() had no memory for.
     *
     * Its envelope, if it is small enough for the normal buffer; else empty, and no further frame
     * can be read. It points into the buffer and stays valid until the next prepare().
     */
    std::span<const std::byte> skip() noexcept;

    /// The next frame. Once it has said malformed, it says nothing else.
    frame_event next() noexcept;

    /**
     * @brief The payload of the frame that next() gave last, as the caller's own.
     *
     * A payload that outgrew the normal buffer is handed over without a copy, any other is copied.
     * The frame is not valid any more. Throws std::bad_alloc, and then it still is.
     */
    payload_buffer take_payload();

    /// Bytes of a frame that is not complete yet: whether the stream may end here.
    std::size_t unfinished_bytes() const noexcept { return end_ - begin_; }

    std::size_t capacity() const noexcept { return buffer_.capacity(); }

private:
    void move_to_front() noexcept;
    std::size_t suitable_capacity() const noexcept;

    byte_buffer buffer_;
    std::size_t begin_ = 0; ///< of the first frame that next() has not given, a multiple of 16
    std::size_t end_ = 0;   ///< of what was read
    std::size_t awaited_bytes_ =
        0; ///< size of the incomplete frame, 0: its header is not there yet
    std::size_t skipped_bytes_ = 0; ///< of a frame that is left out, still to come
    std::span<const std::byte> last_payload_;
    std::uint64_t max_frame_bytes_;
    frame_error error_ = frame_error::none;
};

} // namespace coproc::wire
