#pragma once

#include "memory/shared_page.hpp"
#include "wire/messages.hpp"

#include <array>
#include <cstddef>
#include <span>

namespace coproc::worker {

/// The worker's end of the socket and the ring: blocking, for one thread.
class connection {
public:
    connection(int socket, memory::page_layout& page, std::span<std::byte> ring) noexcept
        : socket_(socket), ring_(page.ring, ring) {}

    /// Waits for bytes. 0: the parent is gone.
    std::size_t read(std::span<std::byte> into) noexcept;

    /// Through the ring, else over the socket, completely. False: the parent is gone.
    template <class Message>
    bool reply(const Message& message, std::span<const std::byte> payload) {
        return reply_encoded(encode(message, payload.size()), payload);
    }

    /// Over the socket, completely. False: the parent is gone.
    template <class Message>
    bool say(const Message& message) noexcept {
        return write(encode(message, 0), {});
    }

private:
    template <class Message>
    std::span<const std::byte> encode(const Message& message, std::size_t payload_bytes) {
        return {head_.data(), wire::encode(message, payload_bytes, head_)};
    }
    bool reply_encoded(std::span<const std::byte> head,
                       std::span<const std::byte> payload) noexcept;
    bool write(std::span<const std::byte> head, std::span<const std::byte> payload) noexcept;

    int socket_;
    memory::reply_ring_writer ring_;
    alignas(wire::frame_alignment) std::array<std::byte, wire::max_head_bytes> head_;
};

} // namespace coproc::worker
