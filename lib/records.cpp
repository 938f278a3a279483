#include <coproc/detail/records.hpp>

namespace coproc::detail {

std::size_t records::open(encoder& out) {
    out.align(encoder::max_alignment);
    const std::size_t record = out.size();
    out.write_size(0);
    return record;
}

void records::close(encoder& out, std::size_t record, std::uint8_t mark) noexcept {
    const std::uint64_t size = out.size() - record - head_bytes;
    const std::uint64_t word = size << 8 | mark;
    overwrite(out, record, &word, sizeof word);
}

void records::overwrite(encoder& out, std::size_t at, const void* bytes,
                        std::size_t size) noexcept {
    std::memcpy(out.data_ + at, bytes, size);
}

void records::cut(encoder& out, std::size_t size) noexcept {
    out.size_ = size;
    out.depth_ = 0;
}

records::place records::next(decoder& in) {
    std::uint64_t word = 0;
    std::memcpy(&word, in.read_block(sizeof word, encoder::max_alignment).data(), sizeof word);
    const std::uint64_t size = word >> 8;
    if (size > in.remaining()) {
        in.fail("a record exceeds the message", in.position() - sizeof word);
    }
    const std::size_t begin = in.position();
    in.read_block(static_cast<std::size_t>(size));
    return {static_cast<std::uint8_t>(word & 0xFF), begin, in.position()};
}

} // namespace coproc::detail
