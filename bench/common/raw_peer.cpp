#include "common/raw_peer.hpp"

#include "common/measure.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {
namespace {

constexpr std::size_t buffer_bytes = 256 * 1024;

} // namespace

raw_peer::raw_peer(std::size_t request_bytes, std::size_t reply_bytes, int processor)
    : request_(request_bytes), reply_(reply_bytes), buffer_(buffer_bytes) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        std::abort();
    }
    child_ = fork();
    if (child_ == 0) {
        close(ends[0]);
        serve(ends[1], processor);
        _exit(0);
    }
    close(ends[1]);
    socket_ = ends[0];
    fcntl(socket_, F_SETFL, O_NONBLOCK);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{EPOLLIN | EPOLLET, {}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, socket_, &event);
}

raw_peer::~raw_peer() {
    close(socket_);
    close(epoll_);
    waitpid(child_, nullptr, 0);
}

void raw_peer::serve(int descriptor, int processor) {
    pin(processor);
    std::vector<char> replies(buffer_bytes);
    std::size_t have = 0;
    for (;;) {
        const ssize_t got = read(descriptor, buffer_.data(), buffer_.size());
        if (got <= 0) {
            return;
        }
        have += static_cast<std::size_t>(got);
        std::size_t answers = have / request_ * reply_;
        have %= request_;
        while (answers > 0) {
            const ssize_t written =
                write(descriptor, replies.data(), std::min(answers, replies.size()));
            if (written <= 0) {
                return;
            }
            answers -= static_cast<std::size_t>(written);
        }
    }
}

std::size_t raw_peer::read_some() {
    for (;;) {
        epoll_event event;
        if (epoll_wait(epoll_, &event, 1, -1) != 1) {
            continue;
        }
        std::size_t sum = 0;
        for (;;) {
            const ssize_t got = read(socket_, buffer_.data(), buffer_.size());
            if (got <= 0) {
                break;
            }
            sum += static_cast<std::size_t>(got);
            if (static_cast<std::size_t>(got) < buffer_.size()) {
                break;
            }
        }
        if (sum > 0) {
            return sum;
        }
    }
}

void raw_peer::write_all(std::size_t bytes) {
    while (bytes > 0) {
        const ssize_t written = write(socket_, buffer_.data(), std::min(bytes, buffer_.size()));
        if (written > 0) {
            bytes -= static_cast<std::size_t>(written);
        }
    }
}

void raw_peer::ping() {
    write_all(request_);
    for (std::size_t got = 0; got < reply_;) {
        got += read_some();
    }
}

void raw_peer::stream(std::size_t total, std::size_t in_flight) {
    std::size_t sent = std::min(total, in_flight);
    write_all(sent * request_);
    std::size_t bytes = 0;
    for (std::size_t answered = 0; answered < total;) {
        bytes += read_some();
        const std::size_t now = bytes / reply_ - answered;
        answered += now;
        const std::size_t next = std::min(now, total - sent);
        write_all(next * request_);
        sent += next;
    }
}

} // namespace bench
