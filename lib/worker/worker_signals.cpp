#include "worker/worker_signals.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <initializer_list>
#include <sys/prctl.h>
#include <unistd.h>

namespace coproc::worker {
namespace {

// Sent by the kernel when the thread that started us ends. Not SIGKILL: that thread may end long
// before its process does.
int parent_signal() noexcept { return SIGRTMAX - 1; }

std::atomic<pid_t> parent_process{-1};
std::atomic<pid_t> worker_process{-1};

bool in_worker_itself() noexcept { return ::getpid() == worker_process.load(); }

void die_if_orphaned() noexcept {
    if (::getppid() == parent_process.load()) {
        return;
    }
    // The group is ours if we lead it; spawn() makes it so.
    if (::getpgrp() == ::getpid()) {
        ::kill(0, SIGKILL);
    }
    ::kill(::getpid(), SIGKILL);
}

void on_parent_signal(int) {
    const int saved_errno = errno;
    if (in_worker_itself()) {
        die_if_orphaned();
    }
    errno = saved_errno;
}

void do_nothing(int) {}

void die_of(int number) noexcept {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    ::sigaction(number, &action, nullptr);
    sigset_t only;
    ::sigemptyset(&only);
    ::sigaddset(&only, number);
    ::raise(number);
    ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
}

void on_request_to_end(int number, siginfo_t* info, void*) {
    const int saved_errno = errno;
    // Only codes that are not the kernel's come with the sender's number.
    const bool from_parent = info->si_code <= 0 && info->si_pid == parent_process.load();
    if (from_parent || !in_worker_itself()) {
        die_of(number);
    }
    errno = saved_errno;
}

} // namespace

void install_worker_signals(pid_t parent) {
    parent_process = parent;
    worker_process = ::getpid();

    struct sigaction action {};
    action.sa_flags = SA_RESTART;
    action.sa_handler = &on_parent_signal;
    ::sigaction(parent_signal(), &action, nullptr);
    action.sa_handler =
        &do_nothing; // Not SIG_IGN, which the programs that a task starts would inherit.
    ::sigaction(SIGINT, &action, nullptr);

    action.sa_flags = SA_RESTART | SA_SIGINFO;
    action.sa_sigaction = &on_request_to_end;
    for (const int number : {SIGTERM, SIGHUP, SIGQUIT}) {
        ::sigaction(number, &action, nullptr);
    }

    ::prctl(PR_SET_PDEATHSIG, parent_signal());
    die_if_orphaned(); // The parent may have died before the line above.
}

} // namespace coproc::worker
