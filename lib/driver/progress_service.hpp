#pragma once

#include <asio/execution_context.hpp>

#include <memory>
#include <mutex>
#include <unordered_map>

namespace coproc::detail {

class progress_core;

/// What is read on a loop, so that the readers' handlers go when the loop's context is destroyed.
class progress_service final : public asio::execution_context::service {
public:
    inline static asio::execution_context::id id;

    explicit progress_service(asio::execution_context& context) : service(context) {}

    void add(const std::shared_ptr<progress_core>&);
    void remove(const progress_core*) noexcept;

private:
    void shutdown() override;

    std::mutex mutex_;
    std::unordered_map<const progress_core*, std::weak_ptr<progress_core>> known_;
};

} // namespace coproc::detail
