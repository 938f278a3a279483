#pragma once

// The system calls by which a worker is started and given descriptors, refused at will: this
// program defines the C library's functions itself, and the library finds these first.
namespace test {

enum class call {
    socketpair,
    memfd_create,
    ftruncate,
    clone,
    execve,
    pidfd_open,
    epoll_ctl,
    send_descriptor,
};

/// While it lives, a call fails with this errno, the first `times` times.
class refusal {
public:
    refusal(call which, int error, int times = 1'000'000);
    ~refusal();
    refusal(const refusal&) = delete;
    refusal& operator=(const refusal&) = delete;

    /// How often it has failed.
    int count() const;
};

} // namespace test
