#pragma once

#include "wire/frame.hpp"

#include <array>
#include <cstddef>
#include <cstring>
#include <span>

namespace coproc::wire {

/// The envelope of a message without texts: always the same bytes, but for its fields. Where these
/// lie is learned from Cap'n Proto itself, when the program first needs it; afterwards such a
/// message, of which there are two for each task, is written and read at the cost of copying it.
template <class Message, auto... Fields>
class fixed_layout {
public:
    static constexpr std::size_t max_bytes = 128;

    /// `encode` writes the envelope of a message and gives its size, at most max_bytes. `blank` has
    /// zeros in all fields.
    template <class Encode>
    fixed_layout(Message blank, Encode encode) : size_(encode(blank, bytes_)) {
        std::size_t next = 0;
        (learn(offsets_[next++], blank, Fields, encode), ...);
    }

    std::size_t size() const noexcept { return size_; }

    void write(const Message& from, std::byte* envelope) const noexcept {
        std::memcpy(envelope, bytes_.data(), size_);
        std::size_t next = 0;
        (std::memcpy(envelope + offsets_[next++], &(from.*Fields), sizeof(from.*Fields)), ...);
    }

    /// False: it is another message, or none, and `into` is not touched.
    bool read(std::span<const std::byte> envelope, Message& into) const noexcept {
        if (envelope.size() != size_) {
            return false;
        }
        std::array<std::byte, max_bytes> rest;
        std::memcpy(rest.data(), envelope.data(), size_);
        std::size_t next = 0;
        (std::memset(rest.data() + offsets_[next++], 0, sizeof(into.*Fields)), ...);
        if (std::memcmp(rest.data(), bytes_.data(), size_) != 0) {
            return false;
        }
        next = 0;
        (std::memcpy(&(into.*Fields), envelope.data() + offsets_[next++], sizeof(into.*Fields)),
         ...);
        return true;
    }

private:
    /// The field lies where the envelope changes when all its bits are set.
    template <class Field, class Encode>
    void learn(std::size_t& offset, Message probe, Field Message::*field, Encode encode) {
        std::memset(&(probe.*field), 0xFF, sizeof(probe.*field));
        std::array<std::byte, max_bytes> probed{};
        encode(probe, probed);
        while (probed[offset] == bytes_[offset]) {
            ++offset;
        }
    }

    std::array<std::byte, max_bytes> bytes_{};
    std::array<std::size_t, sizeof...(Fields)> offsets_{};
    std::size_t size_;
};

} // namespace coproc::wire
