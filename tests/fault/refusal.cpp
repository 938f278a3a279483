#include "refusal.hpp"

#include <atomic>
#include <cerrno>
#include <cstdarg>

#include <dlfcn.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace test {
namespace {

std::atomic<int> refused_call{-1};
std::atomic<int> refused_error{0};
std::atomic<int> left{0};
std::atomic<int> refused{0};

/// The error of a call that shall fail now, else 0.
int error_of(call which) {
    if (refused_call.load() != static_cast<int>(which) || left.load() <= 0) {
        return 0;
    }
    left.fetch_sub(1);
    refused.fetch_add(1);
    return refused_error.load();
}

bool fails(call which) {
    const int error = error_of(which);
    if (error != 0) {
        errno = error;
    }
    return error != 0;
}

template <class Function>
Function* real(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

} // namespace

refusal::refusal(call which, int error, int times) {
    refused = 0;
    refused_error = error;
    left = times;
    refused_call = static_cast<int>(which);
}

refusal::~refusal() { refused_call = -1; }

int refusal::count() const { return refused; }

} // namespace test

extern "C" {

int socketpair(int domain, int type, int protocol, int ends[2]) noexcept {
    return test::fails(test::call::socketpair)
               ? -1
               : test::real<int(int, int, int, int*)>("socketpair")(domain, type, protocol, ends);
}

int memfd_create(const char* name, unsigned flags) noexcept {
    return test::fails(test::call::memfd_create)
               ? -1
               : test::real<int(const char*, unsigned)>("memfd_create")(name, flags);
}

int ftruncate(int file, off_t size) noexcept {
    return test::fails(test::call::ftruncate)
               ? -1
               : test::real<int(int, off_t)>("ftruncate")(file, size);
}

int epoll_ctl(int epoll, int operation, int file, epoll_event* event) noexcept {
    return operation == EPOLL_CTL_ADD && test::fails(test::call::epoll_ctl)
               ? -1
               : test::real<int(int, int, int, epoll_event*)>("epoll_ctl")(epoll, operation, file,
                                                                           event);
}

ssize_t sendmsg(int socket, const msghdr* message, int flags) {
    return message->msg_controllen > 0 && test::fails(test::call::send_descriptor)
               ? -1
               : test::real<ssize_t(int, const msghdr*, int)>("sendmsg")(socket, message, flags);
}

// The library gives no further arguments.
int __clone(int (*function)(void*), void* stack, int flags, void* argument, ...) noexcept {
    return test::fails(test::call::clone) ? -1
                                          : test::real<int(int (*)(void*), void*, int, void*, ...)>(
                                                "__clone")(function, stack, flags, argument);
}

long syscall(long number, ...) noexcept {
    long a[6];
    va_list list;
    va_start(list, number);
    for (long& argument : a) {
        argument = va_arg(list, long);
    }
    va_end(list);
    // A new process executes its file while it has this one's memory.
    return (number == SYS_pidfd_open && test::fails(test::call::pidfd_open)) ||
                   (number == SYS_clone && test::fails(test::call::clone)) ||
                   (number == SYS_execve && test::fails(test::call::execve))
               ? -1
               : test::real<long(long, ...)>("syscall")(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

} // extern "C"
