// The parts of encoder and decoder that are not on the way of a small message.
#include <coproc/detail/decoder.hpp>
#include <coproc/detail/encoder.hpp>

#include <algorithm>
#include <new>

namespace coproc {

static_assert(alignof(std::max_align_t) >= encoder::max_alignment, "malloc aligns messages");

encode_error::encode_error(const std::string& what) : std::runtime_error(what) {}
encode_error::~encode_error() = default;

decode_error::decode_error(const std::string& what, std::size_t position)
    : std::runtime_error(what + " (at byte " + std::to_string(position) + ")"),
      position_(position) {}
decode_error::~decode_error() = default;

void encoder::grow(std::size_t size) {
    if (size > max_bytes_ - size_) {
        encode_error error("the message would be longer than " + std::to_string(max_bytes_) +
                           " bytes");
        error.too_large_ = true;
        throw error;
    }
    constexpr std::size_t first = 256;
    const std::size_t wanted = std::max({first, size_ + size, capacity_ + capacity_ / 2});
    void* const grown = std::realloc(data_, wanted);
    if (grown == nullptr) {
        throw std::bad_alloc();
    }
    data_ = static_cast<std::byte*>(grown);
    capacity_ = wanted;
    usable_ = std::min(capacity_, max_bytes_);
}

void encoder::refuse_nesting() const {
    throw encode_error("values are nested deeper than " + std::to_string(max_nesting) + " levels");
}

void decoder::fail(const char* what, std::size_t position) const {
    throw decode_error(what, position);
}

} // namespace coproc
