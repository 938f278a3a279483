#pragma once

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/read.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <string>

#include <poll.h>
#include <unistd.h>

// How a test knows that a task has begun, and how it lets it go on: they meet at a socket with a
// name. Nobody sleeps.
namespace test {

using meeting_socket = asio::local::stream_protocol::socket;

/// A name in the abstract namespace, which no two meetings have.
inline std::string new_meeting_name() {
    static int count = 0;
    return std::string(1, '\0') + "coproc-test-" + std::to_string(::getpid()) + "-" +
           std::to_string(++count);
}

/// The test's side.
class meeting {
public:
    explicit meeting(asio::any_io_executor io)
        : name_(new_meeting_name()), acceptor_(io, asio::local::stream_protocol::endpoint(name_)) {}
    explicit meeting(asio::io_context& loop) : meeting(loop.get_executor()) {}

    /// What tasks are given.
    const std::string& name() const { return name_; }

    /// Waits for a task to arrive; `pid` is the process that it runs in. It goes on when the socket
    /// is closed.
    asio::awaitable<meeting_socket> arrival(int* pid = nullptr) {
        meeting_socket other = co_await acceptor_.async_accept(asio::use_awaitable);
        int number = 0;
        co_await asio::async_read(other, asio::buffer(&number, sizeof number), asio::use_awaitable);
        if (pid != nullptr) {
            *pid = number;
        }
        co_return other;
    }

    /// The same, for threads that may block.
    meeting_socket await_arrival(int* pid = nullptr) {
        meeting_socket other = acceptor_.accept();
        int number = 0;
        asio::read(other, asio::buffer(&number, sizeof number));
        if (pid != nullptr) {
            *pid = number;
        }
        return other;
    }

private:
    std::string name_;
    asio::local::stream_protocol::acceptor acceptor_;
};

/// The task's side: arrives.
class visit {
public:
    explicit visit(const std::string& name) : socket_(context_) {
        socket_.connect(asio::local::stream_protocol::endpoint(name));
        const int pid = ::getpid();
        asio::write(socket_, asio::buffer(&pid, sizeof pid));
    }
    /// Blocks until the test has closed its end.
    void await_leave() {
        char nothing;
        asio::error_code end;
        // ThreadSanitizer delivers no signals in recv, and here when the next poll begins.
        pollfd closed{.fd = socket_.native_handle(), .events = POLLIN, .revents = 0};
        while (::poll(&closed, 1, 100) <= 0) {
        }
        asio::read(socket_, asio::buffer(&nothing, 1), end);
    }

private:
    asio::io_context context_;
    meeting_socket socket_;
};

} // namespace test
