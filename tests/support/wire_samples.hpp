#pragma once

#include "wire/byte_buffer.hpp"
#include "wire/frame_writer.hpp"
#include "wire/messages.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Bytes and frames for the tests of the wire.
namespace test {

using bytes = std::vector<std::byte>;

inline bytes to_bytes(std::string_view text) {
    const auto* first = reinterpret_cast<const std::byte*>(text.data());
    return bytes(first, first + text.size());
}

inline std::string to_text(std::span<const std::byte> data) {
    return {reinterpret_cast<const char*>(data.data()), data.size()};
}

/// Bytes that are different at each place.
inline bytes counting_bytes(std::size_t size) {
    bytes made(size);
    for (std::size_t i = 0; i < size; ++i) {
        made[i] = static_cast<std::byte>(i * 7 + i / 251);
    }
    return made;
}

/// Appends all that a writer has, as a stream would take it.
inline void write_all(coproc::wire::frame_writer& writer, bytes& stream) {
    std::span<const std::byte> pieces[4];
    while (!writer.empty()) {
        const std::size_t count = writer.pending(pieces);
        std::size_t written = 0;
        for (std::size_t i = 0; i < count; ++i) {
            stream.insert(stream.end(), pieces[i].begin(), pieces[i].end());
            written += pieces[i].size();
        }
        writer.consume(written);
    }
}

/// A whole frame.
template <class Message>
bytes make_frame(const Message& message, std::span<const std::byte> payload = {}) {
    coproc::wire::frame_writer writer;
    writer.append(message, payload);
    bytes stream;
    write_all(writer, stream);
    return stream;
}

/// A copy of some bytes, aligned as a reader's buffer is, and with nothing readable after them.
class aligned_copy {
public:
    explicit aligned_copy(std::span<const std::byte> from) : size_(from.size()) {
        memory_.reallocate(from.empty() ? 1 : from.size());
        if (!from.empty()) {
            std::memcpy(memory_.data(), from.data(), from.size());
        }
    }

    std::span<const std::byte> view() const { return {memory_.data(), size_}; }

private:
    coproc::wire::byte_buffer memory_;
    std::size_t size_;
};

/// Numbers that are the same in every run, on every machine (SplitMix64).
class seeded {
public:
    explicit seeded(std::uint64_t seed) : state_(seed) {}

    std::uint64_t any() {
        std::uint64_t mixed = state_ += 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }

    /// Less than `bound`.
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>(any() % bound); }
    bool one_in(std::size_t n) { return below(n) == 0; }

private:
    std::uint64_t state_;
};

} // namespace test
