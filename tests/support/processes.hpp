#pragma once

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// What this process has: children, descriptors.
namespace test {

/// Whether there is any, also one that is dead and not reaped.
inline bool has_children() {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

/// The processes that this one's threads have started and that are not reaped.
inline std::vector<pid_t> children() {
    std::vector<pid_t> found;
    std::error_code gone;
    for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", gone)) {
        std::ifstream list(thread.path() / "children");
        found.insert(found.end(), std::istream_iterator<pid_t>(list),
                     std::istream_iterator<pid_t>());
    }
    return found;
}

/// All that run this very file, this one included, whosever children they are.
inline std::size_t processes_of_this_program() {
    std::error_code gone;
    const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe");
    std::size_t found = 0;
    for (const auto& process : std::filesystem::directory_iterator("/proc", gone)) {
        const bool again = process.is_symlink(); // "self" and "thread-self"
        if (!again && std::filesystem::read_symlink(process.path() / "exe", gone) == own) {
            ++found;
        }
    }
    return found;
}

inline std::size_t open_descriptors() {
    std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all))) - 1; // less its own
}

/// Waits until no more descriptors are open than there were: workers that are threads close theirs
/// when they end.
inline bool descriptors_settle(std::size_t before) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (open_descriptors() > before) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        std::this_thread::yield();
    }
    return true;
}

/// A descriptor that is readable once the process has ended.
inline int open_process(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

/// Blocks until the process has ended; false: it has not, after so long.
inline bool await_end(int pidfd, int milliseconds) {
    pollfd wait{.fd = pidfd, .events = POLLIN, .revents = 0};
    return ::poll(&wait, 1, milliseconds) == 1;
}

} // namespace test
