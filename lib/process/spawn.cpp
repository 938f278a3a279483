#include "process/spawn.hpp"

#include "process/command_line.hpp"
#include "process/exec_plan.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// glibc's clone by its other name. ThreadSanitizer replaces the first: its clone takes the child's
// memory for a copy, and sees no lock of this thread any more.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int __clone(int (*function)(void*), void* stack, int flags, void* argument, ...);

namespace coproc::process {
namespace {

// The descriptors of the new process. Each source is first duplicated to a number above all
// targets: then no dup overwrites a source that is still needed, and none is from a number to
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
        return fine ? nullptr : "duplicating a descriptor";
    }

    [[nodiscard]] std::span<const exec_plan::move> moves() const noexcept { return moves_; }
    [[nodiscard]] int end() const noexcept { return end_; }

private:
    bool map(int source, int target) {
        unique_fd lifted(::fcntl(source, F_DUPFD_CLOEXEC, end_));
        if (!lifted) {
            return false;
        }
        moves_.push_back({lifted.get(), target});
        lifted_.push_back(std::move(lifted));
        return true;
    }

    int end_;
    std::vector<unique_fd> lifted_;
    std::vector<exec_plan::move> moves_;
};

// The memory that the new process has for its calls until it executes its file.
class child_stack {
public:
    child_stack() noexcept
        : memory_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {}
    child_stack(const child_stack&) = delete;
    child_stack& operator=(const child_stack&) = delete;
    ~child_stack() {
        if (made()) {
            ::munmap(memory_, bytes);
        }
    }

    [[nodiscard]] bool made() const noexcept { return memory_ != MAP_FAILED; }
    // Stacks grow downwards.
    [[nodiscard]] void* top() const noexcept { return static_cast<char*>(memory_) + bytes; }

private:
    static constexpr std::size_t bytes = std::size_t{64} * 1024;
    void* memory_;
};

// No handler may run in the new process while it shares our memory. By the system call, since the
// C library leaves out the signals that it uses itself.
class all_signals_blocked {
public:
    all_signals_blocked() noexcept {
        const std::uint64_t all = ~std::uint64_t{0};
        ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old_, sizeof all);
    }
    all_signals_blocked(const all_signals_blocked&) = delete;
    all_signals_blocked& operator=(const all_signals_blocked&) = delete;
    ~all_signals_blocked() {
        ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old_, nullptr, sizeof old_);
    }

private:
    std::uint64_t old_ = 0;
};

// This thread waits until the file is executed or the attempt has failed, as after vfork.
pid_t run(exec_plan& plan, const child_stack& stack) noexcept {
    const all_signals_blocked blocked;
    const pid_t pid =
        ::__clone(&follow_exec_plan, stack.top(), CLONE_VM | CLONE_VFORK | SIGCHLD, &plan);
    const int number = errno;
    if (pid > 0 && plan.error != 0) {
        while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    errno = number;
    return pid;
}

// As the new process finds it from another directory.
std::string absolute(const std::string& file) {
    if (file.starts_with('/')) {
        return file;
    }
    std::error_code unknown;
    const std::filesystem::path here = std::filesystem::current_path(unknown);
    return (here / file).string();
}

std::string describe(const exec_plan& plan, const process_settings& settings, int niceness) {
    const auto of = [&](setting what) {
        return describe(what, settings, niceness, plan.failed_limit);
    };
    switch (plan.failed_step) {
    case exec_step::group:
        return "setpgid";
    case exec_step::descriptors:
        return "dup3";
    case exec_step::working_directory:
        return of(setting::working_directory);
    case exec_step::nice:
        return of(setting::nice);
    case exec_step::affinity:
        return of(setting::affinity);
    case exec_step::limit:
        return of(setting::limit);
    case exec_step::execute:
        break;
    }
    return std::string("execve of ") + plan.file;
}

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
    descriptor_plan descriptors(request);
    if (const char* failed_step = descriptors.make(request)) {
        return os_error{errno, failed_step};
    }
    const child_stack stack;
    if (!stack.made()) {
        return os_error{errno, "mmap of a stack"};
    }
    const process_settings& settings = request.settings;
    const bool moves = !settings.working_directory.empty();
    const std::string file = moves ? absolute(request.executable) : request.executable;
    std::vector<std::string> arguments = request.arguments;
    std::vector<std::string> environment = merge_environment(::environ, request.variables);
    const std::vector<char*> argument_pointers = exec_pointers(arguments);
    const std::vector<char*> environment_pointers = exec_pointers(environment);
    const std::vector<unsigned long> mask = mask_of(settings.affinity);
    const int niceness = niceness_with(settings.nice);
    exec_plan plan{
        .file = file.c_str(),
        .arguments = argument_pointers.data(),
        .environment = environment_pointers.data(),
        .moves = descriptors.moves(),
        .end_of_descriptors = descriptors.end(),
        .working_directory = moves ? settings.working_directory.c_str() : nullptr,
        .niceness = settings.nice != 0 ? &niceness : nullptr,
        .cpu_mask = mask,
        .limits = settings.limits,
    };
    const pid_t pid = run(plan, stack);
    if (pid < 0) {
        return os_error{errno, "clone"};
    }
    if (plan.error != 0) {
        return os_error{plan.error, describe(plan, settings, niceness)};
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
