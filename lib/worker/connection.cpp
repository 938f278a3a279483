#include "worker/connection.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>

#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace coproc::worker {

namespace {

/// To fall asleep and be woken costs a worker 2 us, and 10 on a virtual machine. Who awaits one
/// task after the other sends the next within this time; a worker that has nothing to do sleeps.
constexpr auto stay_awake = std::chrono::microseconds(8);

/// What the socket is ready for now. A signal ends even a poll that does not wait.
short look(int socket, short events) noexcept {
    pollfd one{.fd = socket, .events = events, .revents = 0};
    while (::poll(&one, 1, 0) < 0) {
        if (errno != EINTR) {
            return POLLERR;
        }
    }
    return one.revents;
}

} // namespace

std::size_t connection::read(std::span<std::byte> into) {
    alignas(cmsghdr) std::byte control[CMSG_SPACE(4 * sizeof(int))];
    iovec piece{into.data(), into.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    const auto end = std::chrono::steady_clock::now() + stay_awake;
    for (int flags = MSG_DONTWAIT;;) {
        message.msg_controllen = sizeof control;
        const ssize_t got = ::recvmsg(socket_, &message, flags | MSG_CMSG_CLOEXEC);
        if (got >= 0) {
            if (message.msg_controllen != 0) {
                take_descriptors(message);
            }
            return static_cast<std::size_t>(got);
        }
        if (errno == EAGAIN) {
            ::sched_yield(); // it may be the parent who wants this processor
            flags = std::chrono::steady_clock::now() < end ? MSG_DONTWAIT : 0;
        } else if (errno != EINTR) {
            return 0;
        }
    }
}

void connection::take_descriptors(msghdr& message) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
            arrived_.push_back(process::unique_fd(descriptor));
        }
    }
}

bool connection::reply_encoded(std::span<const std::byte> head,
                               std::span<const std::byte> payload) noexcept {
    if (!over_socket_) {
        const in_ring result = append_encoded(head, payload);
        if (result != in_ring::no_room) {
            return result == in_ring::appended;
        }
        over_socket_ = true;
    }
    return write(head, payload);
}

connection::in_ring connection::append_encoded(std::span<const std::byte> head,
                                               std::span<const std::byte> payload) noexcept {
    switch (ring_.append(head, payload)) {
    case memory::append_result::appended:
        return in_ring::appended;
    case memory::append_result::ring_bell:
        return write(wire::doorbell_frame, {}) ? in_ring::appended : in_ring::parent_is_gone;
    case memory::append_result::no_room:
        break;
    }
    return in_ring::no_room;
}

bool connection::has_room() const noexcept { return look(socket_, POLLOUT) == POLLOUT; }

bool connection::is_open() const noexcept { return look(socket_, 0) == 0; }

bool connection::write(std::span<const std::byte> head,
                       std::span<const std::byte> payload) noexcept {
    static constexpr std::byte zeros[wire::frame_alignment] = {};
    iovec pieces[] = {{const_cast<std::byte*>(head.data()), head.size()},
                      {const_cast<std::byte*>(payload.data()), payload.size()},
                      {const_cast<std::byte*>(zeros), wire::padding_after(payload.size())}};
    std::size_t left = pieces[0].iov_len + pieces[1].iov_len + pieces[2].iov_len;
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = 3;
    while (left > 0) {
        const ssize_t sent = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        left -= static_cast<std::size_t>(sent);
        std::size_t skip = static_cast<std::size_t>(sent);
        while (message.msg_iovlen > 0 && skip >= message.msg_iov->iov_len) {
            skip -= message.msg_iov->iov_len;
            ++message.msg_iov;
            --message.msg_iovlen;
        }
        if (message.msg_iovlen > 0) {
            message.msg_iov->iov_base = static_cast<std::byte*>(message.msg_iov->iov_base) + skip;
            message.msg_iov->iov_len -= skip;
        }
    }
    return true;
}

} // namespace coproc::worker
