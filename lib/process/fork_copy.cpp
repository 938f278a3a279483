#include "process/fork_copy.hpp"

#include "process/fork_guard.hpp"

#include <cerrno>
#include <csignal>
#include <cstddef>

#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coproc::process {
namespace {

// Where the C library keeps the number of this thread, which mutexes and pthread_kill compare: what
// the kernel clears there when the thread ends.
int* place_of_thread_number() noexcept {
    int* place = nullptr;
    return ::prctl(PR_GET_TID_ADDRESS, &place) == 0 ? place : nullptr;
}

long clone_beside(int* thread_number) noexcept {
    constexpr unsigned long flags =
        CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
#if defined(__x86_64__)
    return ::syscall(SYS_clone, flags, nullptr, nullptr, thread_number, 0UL);
#elif defined(__aarch64__)
    return ::syscall(SYS_clone, flags, nullptr, nullptr, 0UL, thread_number);
#else
#error "coproc: this processor is not supported yet"
#endif
}

} // namespace

os_result<pid_t> copy_beside() {
    int* const thread_number = place_of_thread_number();
    if (thread_number == nullptr) {
        return os_error{errno, "prctl(PR_GET_TID_ADDRESS), which takes a kernel with "
                               "CONFIG_CHECKPOINT_RESTORE"};
    }
    void* robust_mutexes = nullptr;
    std::size_t size = 0;
    ::syscall(SYS_get_robust_list, 0, &robust_mutexes, &size);
    const long made = clone_beside(thread_number);
    if (made < 0) {
        return os_error{errno, "clone"};
    }
    if (made == 0) {
        ::syscall(SYS_set_robust_list, robust_mutexes, size);
        note_fork();
    }
    return static_cast<pid_t>(made);
}

} // namespace coproc::process
