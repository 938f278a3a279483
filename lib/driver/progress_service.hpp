#pragma once

#include <asio/execution_context.hpp>

#include <memory>
#include <mutex>
#include <unordered_set>

namespace coproc::detail {

class progress_core;

/// What is read on a loop. It belongs to the loop and to all of them, since either may go first,
/// also at the same time on two threads: what needs the loop is let go of under this mutex, outside
/// of those of the progresses.
class progress_list {
public:
    void add(progress_core&);
    /// It is being destroyed.
    void remove(progress_core&) noexcept;
    /// The loop is.
    void loop_ends() noexcept;

private:
    std::mutex mutex_;
    std::unordered_set<progress_core*> known_;
};

/// Lets the readers' handlers go when the loop's context is destroyed.
class progress_service final : public asio::execution_context::service {
public:
    inline static asio::execution_context::id id;

    explicit progress_service(asio::execution_context& context) : service(context) {}

    const std::shared_ptr<progress_list>& list() const noexcept { return list_; }

private:
    void shutdown() override { list_->loop_ends(); }

    const std::shared_ptr<progress_list> list_ = std::make_shared<progress_list>();
};

} // namespace coproc::detail
