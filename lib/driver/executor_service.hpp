#pragma once

#include "driver/executor_list.hpp"
#include "driver/lent_arrays.hpp"
#include "process/child.hpp"
#include "process/fork_guard.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/execution_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <list>
#include <memory>
#include <mutex>
#include <optional>

namespace coproc::detail {

/// What executors leave on a loop's execution context: those that live on it, to be stopped when it
/// is destroyed, and killed workers that are still to be reaped.
class executor_service final : public asio::execution_context::service {
public:
    inline static asio::execution_context::id id;

    explicit executor_service(asio::execution_context& context)
        : service(context), fork_generation_(process::fork_generation()) {}

    const std::shared_ptr<executor_list>& executors() const noexcept { return executors_; }

    /// Reaps a process that was killed, when it is dead: on the loop, or when the context is
    /// destroyed. Until then it may read the arrays.
    void adopt(process::child dead, lent_arrays, const asio::any_io_executor& io) noexcept;

private:
    struct orphan {
        process::child child;
        lent_arrays lent;
        std::optional<asio::posix::stream_descriptor> death;
    };
    using orphans = std::list<orphan>;

    void shutdown() override;
    void reap_later(orphans::iterator);

    const std::shared_ptr<executor_list> executors_ = std::make_shared<executor_list>();
    const std::uint32_t fork_generation_;
    std::mutex mutex_; // of what follows
    orphans orphans_;
};

} // namespace coproc::detail
