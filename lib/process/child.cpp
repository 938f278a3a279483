#include "process/child.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace coproc::process {
namespace {

// From here to the end of the namespace: kernel interfaces that are newer than the system headers
// of Debian 12.

// Linux 6.9: pidfd_send_signal to all in the group that the process leads.
constexpr unsigned signal_process_group = 1U << 2;

// Linux 6.13; since 6.15 it tells the exit status of a process that has been reaped.
struct pidfd_information {
    std::uint64_t mask;
    std::uint64_t cgroup;
    std::uint32_t pid, tgid, ppid;
    std::uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    std::int32_t exit_code;
};
static_assert(sizeof(pidfd_information) == 64, "the first published size of struct pidfd_info");
constexpr std::uint64_t information_exit = 1U << 3;
constexpr unsigned long pidfd_get_information = _IOWR(0xFF, 11, pidfd_information);

bool send_to_pidfd(int pidfd, int number, unsigned flags) noexcept {
    return ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, flags) == 0;
}

bool is_readable(int pidfd) noexcept {
    pollfd entry{pidfd, POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
}

int wait_without_blocking(int pidfd, siginfo_t& info, int options) noexcept {
    int outcome = 0;
    do {
        info = {};
        outcome = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG | options);
    } while (outcome != 0 && errno == EINTR);
    return outcome;
}

} // namespace

child::child(pid_t pid, unique_fd pidfd) noexcept : pid_(pid), pidfd_(std::move(pidfd)) {}

os_result<child> child::find(pid_t pid) {
    unique_fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd) {
        return os_error{errno, "pidfd_open"};
    }
    siginfo_t info;
    if (wait_without_blocking(pidfd.get(), info, WNOWAIT) != 0) {
        return os_error{errno, "waitid"};
    }
    return child(pid, std::move(pidfd));
}

bool child::ended() const noexcept { return is_readable(pidfd_.get()); }

bool child::send_signal(int number) noexcept { return send_to_pidfd(pidfd_.get(), number, 0); }

void child::kill_group() noexcept {
    // The process first: a task may have moved it to another group.
    send_to_pidfd(pidfd_.get(), SIGKILL, 0);
    if (send_to_pidfd(pidfd_.get(), SIGKILL, signal_process_group) || errno != EINVAL) {
        return;
    }
    if (number_is_ours()) {
        ::kill(-pid_, SIGKILL);
    }
}

bool child::number_is_ours() const noexcept {
    // A host that ignores SIGCHLD or waits for any child may have given the number back behind us.
    siginfo_t info;
    return !reaped() && wait_without_blocking(pidfd_.get(), info, WNOWAIT) == 0;
}

// The number is that of a group as long as one of these is there, so the kernel gives it to nobody
// else.
bool child::has_unreaped_group() const noexcept {
    siginfo_t info;
    for (;;) {
        info = {};
        if (::waitid(P_PGID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG) != 0) {
            if (errno != EINTR) {
                return false;
            }
        } else if (info.si_pid == 0) {
            return true;
        }
    }
}

std::optional<exit_status> child::reap() noexcept {
    if (!status_) {
        take_status();
    }
    if (status_ && makes_children_) {
        if (has_unreaped_group()) {
            return std::nullopt;
        }
        makes_children_ = false; // nobody is left who could have the number
    }
    return status_;
}

void child::take_status() noexcept {
    siginfo_t info;
    if (wait_without_blocking(pidfd_.get(), info, 0) == 0) {
        if (info.si_pid != 0) {
            status_ = exit_status::from_siginfo(info.si_code, info.si_status);
        }
    } else if (is_readable(pidfd_.get())) {
        status_ = status_after_foreign_reap();
    }
}

std::optional<exit_status> child::status_after_foreign_reap() const noexcept {
    pidfd_information information{};
    information.mask = information_exit;
    if (::ioctl(pidfd_.get(), pidfd_get_information, &information) != 0) {
        return exit_status{};
    }
    if ((information.mask & information_exit) == 0) {
        // The process is being reaped at this moment. An older kernel answers with an error after
        // that.
        return std::nullopt;
    }
    return exit_status::from_wait_word(information.exit_code);
}

} // namespace coproc::process
