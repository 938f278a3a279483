#pragma once

#include "driver/captured_output.hpp"
#include "failure_record.hpp"
#include "memory/shared_page.hpp"
#include "process/crash_report.hpp"

#include <memory>
#include <mutex>
#include <optional>

namespace coproc::detail {

/// What is known of the end of a worker. The failure that refers to it may be made while the worker
/// still writes its backtrace: the record is read when somebody asks, or when the worker has been
/// reaped, whichever is first.
class dead_worker final : public worker_fate {
public:
    dead_worker(int worker_pid, std::size_t worker_slot,
                std::shared_ptr<const memory::shared_page> page,
                std::shared_ptr<const output_tails> tails);

    /// Nothing more will be written. Lets go of the page. Does not block.
    void settle();

    [[nodiscard]] std::vector<stack_frame> backtrace() const override;
    [[nodiscard]] std::string stdout_tail() const override;
    [[nodiscard]] std::string stderr_tail() const override;

private:
    /// The record as it is now.
    std::optional<process::crash_copy> look() const;
    bool is_settled() const;

    mutable std::mutex mutex_;                        // held for copying only
    std::shared_ptr<const memory::shared_page> page_; ///< null: settled
    std::optional<process::crash_copy> settled_;
    const std::shared_ptr<const output_tails> tails_; ///< null: not captured
};

} // namespace coproc::detail
