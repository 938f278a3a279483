#include "process/spawn.hpp"

#include "process/command_line.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace coproc::process {
namespace {

class file_actions {
public:
    file_actions() noexcept { ::posix_spawn_file_actions_init(&raw_); }
    file_actions(const file_actions&) = delete;
    file_actions& operator=(const file_actions&) = delete;
    ~file_actions() { ::posix_spawn_file_actions_destroy(&raw_); }

    [[nodiscard]] posix_spawn_file_actions_t* get() noexcept { return &raw_; }

private:
    posix_spawn_file_actions_t raw_;
};

class attributes {
public:
    attributes() noexcept {
        ::posix_spawnattr_init(&raw_);
        sigset_t signals;
        ::sigemptyset(&signals);
        ::posix_spawnattr_setsigmask(&raw_, &signals);
        ::sigfillset(&signals);
        ::posix_spawnattr_setsigdefault(&raw_, &signals);
        ::posix_spawnattr_setpgroup(&raw_, 0);
        ::posix_spawnattr_setflags(&raw_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    }
    attributes(const attributes&) = delete;
    attributes& operator=(const attributes&) = delete;
    ~attributes() { ::posix_spawnattr_destroy(&raw_); }

    [[nodiscard]] const posix_spawnattr_t* get() const noexcept { return &raw_; }

private:
    posix_spawnattr_t raw_;
};

// The descriptors of the new process. Each source is first duplicated to a number above all
// targets: then no dup2 overwrites a source that is still needed, and none is from a number to
// itself, which would leave it close-on-exec.
class descriptor_plan {
public:
    explicit descriptor_plan(const spawn_request& request) noexcept
        : end_(first_given_descriptor + static_cast<int>(request.descriptors.size())) {}

    // Null if all went well.
    [[nodiscard]] const char* make(const spawn_request& request) {
        // Asked before anything is opened here, which would take a free number.
        const bool no_output = request.output < 0 && ::fcntl(STDOUT_FILENO, F_GETFD) < 0;
        const bool no_error = request.error < 0 && ::fcntl(STDERR_FILENO, F_GETFD) < 0;
        const unique_fd null_device(::open("/dev/null", O_RDWR | O_CLOEXEC));
        if (!null_device) {
            return "open of /dev/null";
        }
        // A closed standard output would become the first file that the new process opens.
        const int output = no_output ? null_device.get() : request.output;
        const int error = no_error ? null_device.get() : request.error;
        bool fine = map(null_device.get(), STDIN_FILENO) &&
                    (output < 0 || map(output, STDOUT_FILENO)) &&
                    (error < 0 || map(error, STDERR_FILENO));
        int target = first_given_descriptor;
        for (const int source : request.descriptors) {
            fine = fine && map(source, target++);
        }
        if (!fine) {
            return "duplicating a descriptor";
        }
        errno = ::posix_spawn_file_actions_addclosefrom_np(actions_.get(), end_);
        return errno == 0 ? nullptr : "posix_spawn_file_actions_addclosefrom_np";
    }

    [[nodiscard]] posix_spawn_file_actions_t* actions() noexcept { return actions_.get(); }

private:
    bool map(int source, int target) {
        unique_fd lifted(::fcntl(source, F_DUPFD_CLOEXEC, end_));
        if (!lifted) {
            return false;
        }
        errno = ::posix_spawn_file_actions_adddup2(actions_.get(), lifted.get(), target);
        lifted_.push_back(std::move(lifted));
        return errno == 0;
    }

    int end_;
    std::vector<unique_fd> lifted_;
    file_actions actions_;
};

// A process that nobody can watch is of no use. The number is signalled only if it is still our
// child's.
void kill_unwatchable(pid_t pid) noexcept {
    siginfo_t info;
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
        return;
    }
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
}

} // namespace

os_result<child> spawn(const spawn_request& request) {
    descriptor_plan plan(request);
    if (const char* failed_step = plan.make(request)) {
        return os_error{errno, failed_step};
    }
    std::vector<std::string> arguments = request.arguments;
    std::vector<std::string> environment = merge_environment(::environ, request.variables);
    const attributes attributes;

    pid_t pid = -1;
    const int failure =
        ::posix_spawn(&pid, request.executable.c_str(), plan.actions(), attributes.get(),
                      exec_pointers(arguments).data(), exec_pointers(environment).data());
    if (failure != 0) {
        return os_error{failure, "posix_spawn of " + request.executable};
    }
    // Close-on-exec by definition.
    unique_fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd) {
        const int number = errno;
        kill_unwatchable(pid);
        return os_error{number, "pidfd_open"};
    }
    return child(pid, std::move(pidfd));
}

} // namespace coproc::process
