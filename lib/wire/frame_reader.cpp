#include "wire/frame_reader.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace coproc::wire {

frame_reader::frame_reader(std::uint64_t max_frame_bytes) noexcept
    : max_frame_bytes_(max_frame_bytes) {
    assert(max_frame_bytes <= greatest_frame_limit);
}

std::span<std::byte> frame_reader::prepare() {
    last_payload_ = {};
    move_to_front();
    if (const std::size_t suitable = suitable_capacity(); suitable != buffer_.capacity()) {
        buffer_.reallocate(suitable);
    }
    assert(end_ < buffer_.capacity());
    const std::size_t room = buffer_.capacity() - end_;
    // What follows a frame that is left out begins at the front, where it is aligned.
    return {buffer_.data() + end_, skipped_bytes_ == 0 ? room : std::min(room, skipped_bytes_)};
}

void frame_reader::commit(std::size_t bytes) noexcept {
    assert(bytes <= buffer_.capacity() - end_);
    if (skipped_bytes_ != 0) {
        skipped_bytes_ -= bytes;
    } else {
        end_ += bytes;
    }
}

std::span<const std::byte> frame_reader::skip() noexcept {
    const std::byte* const first = buffer_.data() + begin_;
    const std::size_t available = end_ - begin_;
    const std::size_t envelope =
        awaited_bytes_ == 0 ? 0 : layout_of(load_header(first)).envelope_bytes;
    if (awaited_bytes_ == 0 || available < header_bytes + envelope) {
        return {};
    }
    skipped_bytes_ = awaited_bytes_ - available;
    awaited_bytes_ = 0;
    begin_ = end_;
    return {first + header_bytes, envelope};
}

frame_event frame_reader::next() noexcept {
    if (error_ != frame_error::none) {
        return {.kind = frame_kind::malformed, .error = error_};
    }
    awaited_bytes_ = 0;
    last_payload_ = {};
    const std::size_t available = end_ - begin_;
    if (available < header_bytes) {
        return {};
    }
    const std::byte* first = buffer_.data() + begin_;
    const frame_header header = load_header(first);
    error_ = check_header(header, max_frame_bytes_);
    if (error_ != frame_error::none) {
        return {.kind = frame_kind::malformed, .error = error_};
    }
    const frame_layout layout = layout_of(header);
    if (available < layout.frame_bytes) {
        awaited_bytes_ = layout.frame_bytes;
        return {};
    }
    begin_ += layout.frame_bytes;
    if (is_doorbell(header)) {
        return {.kind = frame_kind::doorbell};
    }
    last_payload_ = {first + layout.payload_offset, layout.payload_bytes};
    return {.kind = frame_kind::complete,
            .frame = {{first + header_bytes, layout.envelope_bytes}, last_payload_}};
}

payload_buffer frame_reader::take_payload() {
    // A frame that made the buffer grow is the only one in it: it grows to that frame's size.
    if (buffer_.capacity() <= normal_capacity || begin_ != end_ || last_payload_.empty()) {
        payload_buffer copy(last_payload_);
        last_payload_ = {};
        return copy;
    }
    const auto offset = static_cast<std::size_t>(last_payload_.data() - buffer_.data());
    const std::size_t size = std::exchange(last_payload_, {}).size();
    begin_ = end_ = 0;
    return payload_buffer(std::exchange(buffer_, {}), offset, size);
}

void frame_reader::move_to_front() noexcept {
    if (begin_ == 0) {
        return;
    }
    const std::size_t remaining = end_ - begin_;
    if (remaining != 0) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, remaining);
    }
    begin_ = 0;
    end_ = remaining;
}

std::size_t frame_reader::suitable_capacity() const noexcept {
    const std::size_t capacity = buffer_.capacity();
    if (awaited_bytes_ <= normal_capacity) {
        return normal_capacity;
    }
    if (capacity < normal_capacity) {
        return normal_capacity;
    }
    return end_ < capacity / 2 ? capacity : std::min(awaited_bytes_, 2 * capacity);
}

} // namespace coproc::wire
