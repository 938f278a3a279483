#include "memory/reply_ring.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace coproc::memory {

namespace {

constexpr std::size_t least_ring_bytes = 256;

/// Where a position lies in a ring of `size` bytes, a power of two.
std::size_t offset_in(std::uint64_t position, std::size_t size) noexcept {
    return static_cast<std::size_t>(position & (size - 1));
}

} // namespace

reply_ring_writer::reply_ring_writer(ring_words& words, std::span<std::byte> bytes) noexcept
    : words_(words), bytes_(bytes), tail_(words.tail.load(std::memory_order_relaxed)) {
    assert(std::has_single_bit(bytes.size()) && bytes.size() >= least_ring_bytes);
}

append_result reply_ring_writer::append(std::span<const std::byte> head,
                                        std::span<const std::byte> payload) noexcept {
    const std::size_t greatest = max_ring_frame_bytes(bytes_.size());
    if (head.size() > greatest || payload.size() > greatest - head.size()) {
        return append_result::no_room;
    }
    const auto size = head.size() + static_cast<std::size_t>(wire::padded(payload.size()));
    const std::uint64_t used = tail_ - words_.head.load(std::memory_order_acquire);
    if (size > greatest || used > bytes_.size() || size > bytes_.size() - used) {
        return append_result::no_room;
    }
    const std::uint64_t end_of_payload = tail_ + head.size() + payload.size();
    copy_in(tail_, head);
    copy_in(tail_ + head.size(), payload);
    copy_in(end_of_payload, std::span(wire::zeros).first(wire::padding_after(payload.size())));
    tail_ += size;
    // The parent stores armed and then reads tail; here tail is stored and then armed read. In the
    // one order of all these operations the second of the two sees what the first has stored.
    words_.tail.store(tail_, std::memory_order_seq_cst);
    if (words_.armed.load(std::memory_order_seq_cst) != 0 &&
        words_.armed.exchange(0, std::memory_order_seq_cst) != 0) {
        return append_result::ring_bell;
    }
    return append_result::appended;
}

void reply_ring_writer::copy_in(std::uint64_t position, std::span<const std::byte> from) noexcept {
    const std::size_t offset = offset_in(position, bytes_.size());
    const std::size_t before_end = std::min(from.size(), bytes_.size() - offset);
    std::copy_n(from.begin(), before_end, bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
    std::copy(from.begin() + static_cast<std::ptrdiff_t>(before_end), from.end(), bytes_.begin());
}

reply_ring_reader::reply_ring_reader(ring_words& words, std::span<const std::byte> bytes) noexcept
    : words_(words),
      bytes_(bytes),
      head_(words.head.load(std::memory_order_relaxed)),
      frames_(max_ring_frame_bytes(bytes.size())) {
    assert(std::has_single_bit(bytes.size()) && bytes.size() >= least_ring_bytes);
}

wire::frame_event reply_ring_reader::next() {
    if (error_ != wire::frame_error::none) {
        return broken(error_);
    }
    wire::frame_event event = frames_.next();
    while (event.kind == wire::frame_kind::need_more) {
        if (copy_out() == 0) {
            if (error_ != wire::frame_error::none) {
                return broken(error_);
            }
            // Whole frames only are published.
            return frames_.unfinished_bytes() == 0 ? event : broken(wire::frame_error::truncated);
        }
        event = frames_.next();
    }
    if (event.kind == wire::frame_kind::doorbell) {
        return broken(wire::frame_error::doorbell_in_ring);
    }
    return event;
}

std::uint64_t reply_ring_reader::published() const noexcept {
    const std::uint64_t used = words_.tail.load(std::memory_order_acquire) - head_;
    return head_ + std::min<std::uint64_t>(used, bytes_.size());
}

bool reply_ring_reader::arm() noexcept {
    if (frames_.unfinished_bytes() != 0) {
        return false; // a look stopped where the ring had ended, and there was more by then
    }
    words_.armed.store(1, std::memory_order_seq_cst);
    if (words_.tail.load(std::memory_order_seq_cst) == head_) {
        return true;
    }
    disarm();
    return false;
}

wire::frame_event reply_ring_reader::broken(wire::frame_error error) noexcept {
    error_ = error;
    return {.kind = wire::frame_kind::malformed, .error = error};
}

/// Moves what fits from the ring to the private buffer. 0: there is nothing, or the ring is broken.
std::size_t reply_ring_reader::copy_out() {
    const std::uint64_t tail = words_.tail.load(std::memory_order_acquire);
    const std::uint64_t used = tail - head_;
    if (used > bytes_.size() || used % wire::frame_alignment != 0) {
        error_ = wire::frame_error::ring_broken;
        return 0;
    }
    if (used == 0) {
        return 0;
    }
    const std::span<std::byte> into = frames_.prepare();
    const std::size_t count = std::min(static_cast<std::size_t>(used), into.size());
    const std::size_t offset = offset_in(head_, bytes_.size());
    const std::size_t before_end = std::min(count, bytes_.size() - offset);
    std::memcpy(into.data(), bytes_.data() + offset, before_end);
    std::memcpy(into.data() + before_end, bytes_.data(), count - before_end);
    frames_.commit(count);
    head_ += count;
    words_.head.store(head_, std::memory_order_release);
    return count;
}

} // namespace coproc::memory
