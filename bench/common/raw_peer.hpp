#pragma once

#include <cstddef>
#include <vector>

#include <sys/types.h>

namespace bench {

/// The floor: a child process behind a socketpair that answers requests of a fixed size with
/// replies of a fixed size, as many at once as it finds, and a parent that waits with epoll.
class raw_peer {
public:
    raw_peer(std::size_t request_bytes, std::size_t reply_bytes, int processor);
    ~raw_peer();
    raw_peer(const raw_peer&) = delete;
    raw_peer& operator=(const raw_peer&) = delete;

    /// One request, one reply.
    void ping();
    /// Keeps `in_flight` requests on their way until `total` are answered, writing as many at once
    /// as it can.
    void stream(std::size_t total, std::size_t in_flight);

private:
    void serve(int descriptor, int processor);
    std::size_t read_some();
    void write_all(std::size_t bytes);

    std::size_t request_;
    std::size_t reply_;
    int socket_ = -1;
    int epoll_ = -1;
    pid_t child_ = -1;
    std::vector<char> buffer_;
};

} // namespace bench
