#include <coproc/detail/chunk.hpp>
#include <coproc/detail/records.hpp>

#include <cstring>
#include <utility>

namespace coproc::detail {

chunk_builder::chunk_builder(std::size_t max_bytes) noexcept
    : max_bytes_(max_bytes),
      // Twice: before it is cut in two, a message may hold one element too many.
      message_(max_bytes < SIZE_MAX / 2 ? 2 * max_bytes : SIZE_MAX) {}

void chunk_builder::begin(std::size_t common_values) {
    message_.clear();
    head_ = {.first = 0, .elements = 0, .common_end = 0, .common_values = common_values};
    message_.write_block(&head_, sizeof head_);
}

void chunk_builder::begin_element() {
    if (head_.common_end == 0) {
        head_.common_end = message_.size();
    }
    before_ = message_.size();
    record_ = records::open(message_);
}

void chunk_builder::end_element() {
    records::close(message_, record_, 0);
    if (elements_ > 0 && message_.size() > max_bytes_) {
        carry_.clear(message_.max_bytes());
        carry_.write_block(message_.bytes().data(), head_.common_end);
        const auto element = message_.bytes().subspan(record_);
        carry_.write_block(element.data(), element.size(), encoder::max_alignment);
        records::cut(message_, *before_);
        carried_ = true;
    } else {
        ++elements_;
    }
    before_.reset();
}

void chunk_builder::drop_element() noexcept {
    if (before_) {
        records::cut(message_, *before_);
        before_.reset();
    } // else the message is empty, and begins anew
}

void chunk_builder::finish() noexcept {
    head_.elements = elements_;
    records::overwrite(message_, 0, &head_, sizeof head_);
}

void chunk_builder::advance() {
    message_.clear(message_.max_bytes());
    elements_ = 0;
    if (carried_) {
        std::swap(message_, carry_);
        elements_ = 1;
        carried_ = false;
    }
}

chunk_head read_chunk_head(decoder& in) {
    chunk_head head;
    std::memcpy(&head, in.read_block(sizeof head).data(), sizeof head);
    if (head.first >= head.elements || head.common_end < sizeof head ||
        head.common_end - sizeof head > in.remaining()) {
        in.fail("a chunk has a wrong head", 0);
    }
    in.read_block(static_cast<std::size_t>(head.common_end - sizeof head));
    return head;
}

void set_first_element(std::byte* message, std::uint64_t first) noexcept {
    std::memcpy(message + offsetof(chunk_head, first), &first, sizeof first);
}

} // namespace coproc::detail
