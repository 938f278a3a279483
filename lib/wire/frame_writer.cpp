#include "wire/frame_writer.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace coproc::wire {

void frame_writer::append_doorbell() {
    std::memcpy(reserve(header_bytes), doorbell_frame, header_bytes);
    finish_copied(header_bytes, {});
}

std::byte* frame_writer::reserve(std::size_t bytes) {
    if (buffer_.capacity() - end_ >= bytes) {
        return buffer_.data() + end_;
    }
    // Frames keep their alignment: they move by a multiple of 16.
    const std::size_t shift = begin_ & ~(frame_alignment - 1);
    if (shift >= end_ - shift && shift != 0) {
        std::memmove(buffer_.data(), buffer_.data() + shift, end_ - shift);
        begin_ -= shift;
        end_ -= shift;
    }
    if (buffer_.capacity() - end_ < bytes) {
        buffer_.reallocate(std::max({first_capacity, 2 * buffer_.capacity(), end_ + bytes}));
    }
    return buffer_.data() + end_;
}

void frame_writer::finish_copied(std::size_t head, std::span<const std::byte> payload) noexcept {
    std::byte* place = buffer_.data() + end_ + head;
    const std::size_t padding = padding_after(payload.size());
    std::copy(payload.begin(), payload.end(), place);
    std::fill_n(place + payload.size(), padding, std::byte{0});
    end_ += head + payload.size() + padding;
    pending_bytes_ += head + payload.size() + padding;
}

void frame_writer::finish_borrowed(std::size_t head, std::span<const std::byte> payload,
                                   std::shared_ptr<const void> owner) {
    if (payload.empty()) {
        return finish_copied(head, {});
    }
    const std::size_t padding = padding_after(payload.size());
    borrowed_.push_back({consumed_ + (end_ - begin_) + head, payload, padding, std::move(owner)});
    end_ += head;
    pending_bytes_ += head + payload.size() + padding;
}

// Counted as copied bytes are: bytes up to the next descriptor that does not go with the first.
std::uint64_t frame_writer::end_of_pending() const noexcept {
    const std::size_t passed = has_descriptor() ? 1 : 0;
    return descriptors_.size() > passed ? descriptors_[passed].copied_before
                                        : consumed_ + (end_ - begin_);
}

std::size_t frame_writer::pending(std::span<std::span<const std::byte>> pieces) const noexcept {
    std::size_t count = 0;
    const auto list = [&](std::span<const std::byte> piece) {
        if (!piece.empty() && count < pieces.size()) {
            pieces[count++] = piece;
        }
    };
    const std::uint64_t end = end_of_pending();
    std::span<const std::byte> copied(buffer_.data() + begin_,
                                      static_cast<std::size_t>(end - consumed_));
    std::uint64_t position = consumed_;
    for (const borrowed_payload& payload : borrowed_) {
        if (count == pieces.size()) {
            return count;
        }
        if (payload.copied_before > end) {
            break;
        }
        const auto before = static_cast<std::size_t>(payload.copied_before - position);
        list(copied.first(before));
        list(payload.bytes);
        list(std::span(zeros).first(payload.padding));
        copied = copied.subspan(before);
        position = payload.copied_before;
    }
    list(copied);
    return count;
}

void frame_writer::consume(std::size_t bytes) noexcept {
    assert(bytes <= pending_bytes_);
    if (bytes != 0 && has_descriptor()) {
        descriptors_.erase(descriptors_.begin());
    }
    pending_bytes_ -= bytes;
    while (bytes != 0) {
        if (borrowed_.empty()) {
            consume_copied(bytes);
            break;
        }
        borrowed_payload& payload = borrowed_.front();
        const auto before = static_cast<std::size_t>(payload.copied_before - consumed_);
        const std::size_t copied = std::min(bytes, before);
        consume_copied(copied);
        bytes -= copied;
        const std::size_t taken = std::min(bytes, payload.bytes.size());
        payload.bytes = payload.bytes.subspan(taken);
        bytes -= taken;
        const std::size_t skipped = std::min(bytes, payload.padding);
        payload.padding -= skipped;
        bytes -= skipped;
        if (copied == before && payload.bytes.empty() && payload.padding == 0) {
            borrowed_.pop_front();
        }
    }
    if (pending_bytes_ == 0) {
        begin_ = end_ = 0;
        if (buffer_.capacity() > kept_capacity) {
            buffer_ = {};
        }
    }
}

void frame_writer::consume_copied(std::size_t bytes) noexcept {
    begin_ += bytes;
    consumed_ += bytes;
}

} // namespace coproc::wire
