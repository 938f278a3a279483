#pragma once

#include "process/exit_status.hpp"
#include "process/os_result.hpp"
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
    /// A child of this process that another one has made, and told of; refused (ECHILD) if it is
    /// none.
    [[nodiscard]] static os_result<child> find(pid_t pid);
    child(child&&) noexcept = default;
    child& operator=(child&&) noexcept = default;

    /// It makes children of ours (copy_beside), which are in its process group until they tell.
    /// Then reap() takes those, too, that kill_group() has hit before they could, and has no answer
    /// until none is left.
    void makes_children() noexcept { makes_children_ = true; }

    /// For messages and for comparing. To signal the process, use the functions below.
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    /// Readable once the process has ended.
    [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }

    /// Whether the process has ended.
    [[nodiscard]] bool ended() const noexcept;

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
    void take_status() noexcept;
    [[nodiscard]] bool has_unreaped_group() const noexcept;

    pid_t pid_;
    unique_fd pidfd_;
    std::optional<exit_status> status_;
    bool makes_children_ = false;
};

} // namespace coproc::process
