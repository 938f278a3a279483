#pragma once

#include "memory/shared_page.hpp"
#include "process/unique_fd.hpp"
#include "wire/messages.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include <sys/socket.h>

namespace coproc::worker {

/// The worker's end of the socket and the ring: blocking, for one thread.
class connection {
public:
    connection(int socket, memory::page_layout& page, std::span<std::byte> ring) noexcept
        : socket_(socket), ring_(page.ring, ring) {}

    /// Waits for bytes. 0: the parent is gone. Descriptors that come with them are in arrived().
    std::size_t read(std::span<std::byte> into);

    /// In the order in which they came.
    std::vector<process::unique_fd>& arrived() noexcept { return arrived_; }

    /// What one task sends is not overtaken by what it sends later: its frames go through the ring
    /// until there is no room for one, and all after that over the socket.
    void begin_task() noexcept { over_socket_ = false; }

    /// A frame of the task, completely. False: the parent is gone.
    template <class Message>
    bool reply(const Message& message, std::span<const std::byte> payload) {
        return reply_encoded(encode(message, payload.size()), payload);
    }

    /// Likewise, if that does not block and need not take it over the socket. False: it would, and
    /// nothing was sent.
    template <class Message>
    bool try_reply(const Message& message, std::span<const std::byte> payload) {
        if (!over_socket_) {
            if (append_encoded(encode(message, payload.size()), payload) != in_ring::no_room) {
                return true;
            }
            if (fits_ring(message, payload.size())) {
                return false;
            }
        }
        if (!has_room()) {
            return false;
        }
        static_cast<void>(reply(message, payload)); // a parent that is gone wants nothing
        return true;
    }

    /// Over the socket, completely. False: the parent is gone.
    template <class Message>
    bool say(const Message& message, std::span<const std::byte> payload = {}) noexcept {
        return write(encode(message, payload.size()), payload);
    }

    /// Whether the parent has not closed its end.
    bool is_open() const noexcept;

private:
    template <class Message>
    std::span<const std::byte> encode(const Message& message, std::size_t payload_bytes) {
        return {head_.data(), wire::encode(message, payload_bytes, head_)};
    }
    /// Whether the ring takes a frame of this size when it is empty.
    template <class Message>
    static bool fits_ring(const Message& message, std::size_t payload_bytes) noexcept {
        const std::size_t greatest = memory::max_ring_frame_bytes(memory::ring_bytes);
        return payload_bytes <= greatest &&
               wire::head_bytes(message) + wire::padded(payload_bytes) <= greatest;
    }
    /// Whether the socket takes more at this moment: then a frame of some 100 KiB does not block.
    bool has_room() const noexcept;

    enum class in_ring { no_room, appended, parent_is_gone };
    in_ring append_encoded(std::span<const std::byte> head,
                           std::span<const std::byte> payload) noexcept;
    bool reply_encoded(std::span<const std::byte> head,
                       std::span<const std::byte> payload) noexcept;
    bool write(std::span<const std::byte> head, std::span<const std::byte> payload) noexcept;

    void take_descriptors(msghdr&);

    int socket_;
    std::vector<process::unique_fd> arrived_;
    memory::reply_ring_writer ring_;
    bool over_socket_ = false; // of the task: then the ring would overtake it
    alignas(wire::frame_alignment) std::array<std::byte, wire::max_head_bytes> head_;
};

} // namespace coproc::worker
