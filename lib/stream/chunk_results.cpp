#include "stream/chunk_results.hpp"

#include <cassert>
#include <utility>

namespace coproc::streams {

using detail::records;

namespace {

/// How many records a message is made of; 0: it is something else.
std::size_t count_records(std::span<const std::byte> message, std::size_t at_most) {
    std::size_t count = 0;
    decoder in(message);
    try {
        for (; in.remaining() > 0; ++count) {
            const records::place next = records::next(in);
            if (count == at_most ||
                next.mark > static_cast<std::uint8_t>(detail::last_element_outcome)) {
                return 0;
            }
        }
    } catch (const decode_error&) {
        return 0;
    }
    return count;
}

} // namespace

bool chunk_results::add(wire::payload_buffer part, int worker) {
    const std::size_t count = count_records(part.bytes(), elements_ - settled_);
    if (count == 0) {
        return false;
    }
    groups_.push_back({settled_, count, std::move(part), worker, std::nullopt});
    settled_ += count;
    return true;
}

void chunk_results::lose(std::size_t elements) {
    assert(elements <= elements_ - settled_);
    if (elements > 0) {
        groups_.push_back({settled_, elements, {}, 0, losses_});
        settled_ += elements;
    }
    ++losses_;
}

std::optional<settled_element> chunk_results::at(std::size_t element) {
    if (element >= settled_) {
        return std::nullopt;
    }
    assert(element >= next_ && "elements are asked for in order");
    while (element >= groups_[group_].first + groups_[group_].elements) {
        next_ = groups_[++group_].first;
        position_ = 0;
    }
    const group& g = groups_[group_];
    if (g.loss) {
        next_ = element;
        return settled_element{.loss = g.loss};
    }
    for (;;) {
        decoder in = records::read(g.part.bytes(), position_, g.part.bytes().size());
        const records::place place = records::next(in);
        if (next_ == element) { // it is read again if somebody asks again
            return settled_element{.outcome = static_cast<detail::element_outcome>(place.mark),
                                   .part = g.part.bytes(),
                                   .begin = place.begin,
                                   .end = place.end,
                                   .worker = g.worker};
        }
        position_ = place.end;
        ++next_;
    }
}

} // namespace coproc::streams
