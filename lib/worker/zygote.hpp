#pragma once

#include "process/unique_fd.hpp"
#include "wire/messages.hpp"
#include "worker/connection.hpp"
#include "worker/identity.hpp"
#include "worker/task_end.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace coproc::worker {

/// What forks workers, in the process that does nothing else.
class zygote {
public:
    explicit zygote(pid_t parent) noexcept : parent_(parent) {}

    /// Why this process cannot fork workers; empty: it can. Before the hello.
    [[nodiscard]] static std::string why_not();
    /// How something has ended that the workers shall share and that has returned.
    [[nodiscard]] static task_end judge_preload();

    /// What has come with a wire::fork_descriptor is the next worker's.
    void keep_descriptor(connection& parent);

    /// Follows the order. False: this is no zygote any more. Then it is the worker that born()
    /// tells of; or the parent is gone.
    [[nodiscard]] bool fork(const wire::fork_order&, std::span<const std::byte> settings,
                            connection& parent);

    [[nodiscard]] const std::optional<identity>& born() const noexcept { return born_; }

private:
    [[nodiscard]] bool be_born(const wire::fork_order&, std::span<const std::byte> settings,
                               connection& parent);

    pid_t parent_;
    std::vector<process::unique_fd> descriptors_; // none in place of one that was lost
    std::optional<identity> born_;
};

} // namespace coproc::worker
