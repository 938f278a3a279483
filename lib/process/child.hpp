#pragma once

#include "process/exit_status.hpp"
#include "process/unique_fd.hpp"

#include <sys/types.h>

#include <optional>

namespace coproc::process {

/// A process that we started: its number, its pidfd, and whether it has been reaped.
///
/// Every signal goes through this class, because a number is only ours until somebody reaps it: the
/// class signals the pidfd, and the number only while the kernel still keeps it for us.
/// The destructor neither kills nor waits.
class child {
public:
    child(pid_t pid, unique_fd pidfd) noexcept;
    child(child&&) noexcept = default;
    child& operator=(child&&) noexcept = default;

    /// For messages and for comparing. To signal the process, use the functions below.
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    /// Readable once the process has ended.
    [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }

    [[nodiscard]] bool reaped() const noexcept { return status_.has_value(); }

    /// Sends a signal to the process. False: it has ended.
    bool send_signal(int number) noexcept;

    /// SIGKILL for the process and for all in its process group: what its task started goes with
    /// it. Call it before reap(): older kernels know no safe way to find the group afterwards.
    void kill_group() noexcept;

    /// How it ended, without waiting. Nothing: it still runs, or its end is so fresh that the
    /// kernel does not say how; wait for the pidfd (again). After the first answer, the same
    /// answer.
    [[nodiscard]] std::optional<exit_status> reap() noexcept;

private:
    [[nodiscard]] bool number_is_ours() const noexcept;
    [[nodiscard]] std::optional<exit_status> status_after_foreign_reap() const noexcept;

    pid_t pid_;
    unique_fd pidfd_;
    std::optional<exit_status> status_;
};

} // namespace coproc::process
