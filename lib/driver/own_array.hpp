#pragma once

#include "array_source.hpp"
#include "memory/arena.hpp"

#include <memory>

namespace coproc::detail {

class executor_impl;

/// What a shared_array holds in the process that its memory belongs to.
class own_array final : public array_memory {
public:
    /// `home` has workers that may have the memory mapped, and lets them know when it is closed.
    explicit own_array(memory::arena_array_ptr array,
                       std::weak_ptr<executor_impl> home = {}) noexcept
        : array_(std::move(array)), home_(std::move(home)) {}
    /// By users only, so not under the mutex of an executor.
    ~own_array() override;

    void pack(encoder&, std::span<const std::byte>) const override;

private:
    memory::arena_array_ptr array_;
    const std::weak_ptr<executor_impl> home_;
};

/// For workers that are threads of this process: tasks get the arrays themselves.
class own_arrays final : public array_source {
public:
    referred_memory find(const array_reference&) const override;
};

} // namespace coproc::detail
