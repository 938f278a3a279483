#pragma once

#include "wire/byte_buffer.hpp"
#include "wire/frame.hpp"
#include "wire/messages.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace coproc::wire {

/**
 * @brief Collects frames until a stream takes them.
 *
 * Append frames, write what pending() lists, tell how much was written with consume(). Small
 * payloads are copied; a large one can be left where it is, with an owner that keeps it there.
 *
 * @par Thread safety
 * Distinct objects: safe. Shared objects: unsafe.
 */
class frame_writer {
public:
    /// Gives false, and appends nothing, if the message does not fit into an envelope (its
    /// head_bytes() are 0): only a module can be so. Throws std::bad_alloc, and then nothing was
    /// appended.
    template <class Message>
    bool append(const Message& message, std::span<const std::byte> payload = {}) {
        const std::size_t head = head_bytes(message);
        if (head == 0) {
            return false;
        }
        std::byte* place = reserve(head + static_cast<std::size_t>(padded(payload.size())));
        finish_copied(encode(message, payload.size(), {place, head}), payload);
        return true;
    }

    /// Copies nothing of the payload: `owner` keeps it until it has been consumed.
    template <class Message>
    bool append(const Message& message, std::span<const std::byte> payload,
                std::shared_ptr<const void> owner) { // NOLINT(performance-unnecessary-value-param)
        const std::size_t head = head_bytes(message);
        if (head == 0) {
            return false;
        }
        std::byte* place = reserve(head);
        finish_borrowed(encode(message, payload.size(), {place, head}), payload, std::move(owner));
        return true;
    }

    /// The descriptor goes with the frame's first byte; `owner` keeps it open until then.
    template <class Message>
    void append_with_descriptor(const Message& message, int descriptor,
                                std::shared_ptr<const void> owner) {
        descriptors_.push_back({consumed_ + (end_ - begin_), descriptor, std::move(owner)});
        try {
            append(message);
        } catch (...) {
            descriptors_.pop_back();
            throw;
        }
    }

    /// Appends a frame that carries nothing.
    void append_doorbell();

    /// Lists what is to be written next, in order, and gives the number of pieces, at most
    /// `pieces.size()`; there may be more than fit, or than may be written at once. They are valid
    /// until the next append or consume.
    std::size_t pending(std::span<std::span<const std::byte>> pieces) const noexcept;

    /// What must go with the first byte of what pending() lists; -1: nothing.
    int descriptor() const noexcept { return has_descriptor() ? descriptors_.front().number : -1; }

    /// The first `bytes` of what is pending have been written.
    void consume(std::size_t bytes) noexcept;

    /// What is to be written, in all.
    std::uint64_t pending_bytes() const noexcept { return pending_bytes_; }
    bool empty() const noexcept { return pending_bytes_ == 0; }

private:
    /// A payload that stays where it is. It goes out when `copied_before` copied bytes have.
    struct borrowed_payload {
        std::uint64_t copied_before; ///< counted from the first byte ever copied
        std::span<const std::byte> bytes;
        std::size_t padding; ///< zeros that follow it
        std::shared_ptr<const void> owner;
    };

    /// A descriptor that goes with a copied byte.
    struct attached_descriptor {
        std::uint64_t copied_before; ///< of that byte, counted from the first byte ever copied
        int number;
        std::shared_ptr<const void> owner;
    };

    static constexpr std::size_t first_capacity = 4 * 1024;
    static constexpr std::size_t kept_capacity = 256 * 1024;

    std::byte* reserve(std::size_t bytes);
    void finish_copied(std::size_t head, std::span<const std::byte> payload) noexcept;
    void finish_borrowed(std::size_t head, std::span<const std::byte> payload,
                         std::shared_ptr<const void> owner);
    void consume_copied(std::size_t bytes) noexcept;
    bool has_descriptor() const noexcept {
        return !descriptors_.empty() && descriptors_.front().copied_before == consumed_ &&
               (borrowed_.empty() || borrowed_.front().copied_before > consumed_);
    }
    std::uint64_t end_of_pending() const noexcept;

    byte_buffer buffer_;
    std::size_t begin_ = 0;      ///< of the copied bytes that have not been consumed
    std::size_t end_ = 0;        ///< of the copied bytes, a multiple of 16
    std::uint64_t consumed_ = 0; ///< copied bytes consumed since the beginning
    std::deque<borrowed_payload> borrowed_;
    std::vector<attached_descriptor> descriptors_; ///< rare, and few at a time
    std::uint64_t pending_bytes_ = 0;
};

} // namespace coproc::wire
