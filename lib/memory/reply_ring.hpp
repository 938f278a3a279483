#pragma once

#include "wire/frame_reader.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

// A ring of bytes in the shared page through which a worker answers without a system call.
//
// head and tail count bytes since the beginning; bytes [head, tail) are frames that the parent has
// not read. Only the worker writes tail, only the parent head, and each side keeps its own figure
// for itself: the other's is read, checked and never written back. The bell: the parent arms it
// before it sleeps, the worker that finds it armed takes it and sends a doorbell over the socket.
namespace coproc::memory {

/// The words of a ring, each where its writer does not disturb the other side.
struct ring_words {
    alignas(64) std::atomic<std::uint64_t> tail;
    alignas(64) std::atomic<std::uint64_t> head;
    alignas(64) std::atomic<std::uint32_t> armed;
};

/// A greater frame goes over the socket, so that the ring holds several at least.
constexpr std::size_t max_ring_frame_bytes(std::size_t ring_bytes) noexcept {
    return ring_bytes / 4;
}

/// What became of a frame that a worker wanted to append.
enum class append_result {
    no_room,   ///< nothing was written: it goes over the socket
    appended,  ///< the parent will look by itself
    ring_bell, ///< the parent waits: send a doorbell
};

/// The worker's side of a ring. One thread at a time.
class reply_ring_writer {
public:
    /// `bytes` has a power of two of bytes, at least 256, aligned to 16.
    reply_ring_writer(ring_words& words, std::span<std::byte> bytes) noexcept;

    /// Appends a whole frame or nothing. `head` is header and envelope as wire::encode gives them.
    [[nodiscard]] append_result append(std::span<const std::byte> head,
                                       std::span<const std::byte> payload) noexcept;

private:
    void copy_in(std::uint64_t position, std::span<const std::byte> from) noexcept;

    ring_words& words_;
    std::span<std::byte> bytes_;
    std::uint64_t tail_;
};

/**
 * @brief The parent's side of a ring: a stream of frames from a writer that is not trusted.
 *
 * Bytes are copied out first and looked at afterwards, so what the worker does to them meanwhile
 * changes nothing. Call next() until it says need_more, then arm() and sleep if it says so.
 *
 * @par Thread safety
 * One thread at a time.
 */
class reply_ring_reader {
public:
    reply_ring_reader(ring_words& words, std::span<const std::byte> bytes) noexcept;

    /**
     * @brief The next frame: need_more (the ring is empty), complete or malformed; never doorbell.
     *
     * A frame is valid until the following next(). After malformed it stays malformed. Throws
     * std::bad_alloc. A worker can write as fast as this is called: stop at `published()` of the
     * moment when you began.
     */
    wire::frame_event next();

    /// Where the frames end that are there now, and where the next one begins, counted in bytes
    /// from the beginning of the ring's life. The first is never more than one ring away.
    std::uint64_t published() const noexcept;
    std::uint64_t position() const noexcept { return head_ - frames_.unfinished_bytes(); }

    /// The payload of the frame that next() gave last, as the caller's own.
    wire::payload_buffer take_payload() { return frames_.take_payload(); }

    /// Arms the bell. true: all has been read, wait for a doorbell. false: call next() again; the
    /// bell is not armed, but a doorbell may be on its way all the same.
    [[nodiscard]] bool arm() noexcept;

    /// The parent is awake for another reason and does not need a doorbell.
    void disarm() noexcept { words_.armed.store(0, std::memory_order_relaxed); }

private:
    wire::frame_event broken(wire::frame_error error) noexcept;
    std::size_t copy_out();

    ring_words& words_;
    std::span<const std::byte> bytes_;
    std::uint64_t head_;
    wire::frame_reader frames_;
    wire::frame_error error_ = wire::frame_error::none;
};

} // namespace coproc::memory
