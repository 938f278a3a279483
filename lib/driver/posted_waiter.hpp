#pragma once

#include "coproc/detail/job_core.hpp"
#include "driver/deliver.hpp"

#include <utility>

namespace coproc::detail {

/// Completes a waiter from a loop; abandons it if the loop ends first.
class posted_waiter {
public:
    explicit posted_waiter(waiter& w) noexcept : waiter_(&w) {}
    posted_waiter(posted_waiter&& other) noexcept
        : waiter_(std::exchange(other.waiter_, nullptr)) {}
    posted_waiter& operator=(posted_waiter&&) = delete;
    ~posted_waiter() {
        if (waiter_ != nullptr) {
            waiter_->abandon();
        }
    }

    void operator()() { deliver(*std::exchange(waiter_, nullptr), job_ptr()); }

private:
    waiter* waiter_;
};

} // namespace coproc::detail
