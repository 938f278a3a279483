#pragma once

#include <coproc/detail/config.hpp>
#include <coproc/detail/job_core.hpp>
#include <coproc/detail/sink_side.hpp>
#include <coproc/failure.hpp>

#include <asio/any_io_executor.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

// What a progress is behind its type. The rest is private to lib/driver.
namespace coproc {

struct progress_options;

namespace detail {

class progress_core;
using progress_ptr = std::shared_ptr<progress_core>;

/// A value for the reader, in memory of its own; none: `there` is false.
class COPROC_API reported_value {
public:
    reported_value() noexcept;
    reported_value(reported_value&&) noexcept;
    reported_value& operator=(reported_value&&) = delete;
    ~reported_value();

    bool there = false;
    std::uint64_t index = 0;
    std::span<const std::byte> bytes() const noexcept;

private:
    friend class progress_core;
    struct memory;
    std::unique_ptr<memory> memory_;
};

/// Throws std::invalid_argument, naming the field.
COPROC_API progress_ptr make_progress(asio::any_io_executor, const progress_options&);
COPROC_API const asio::any_io_executor& io_executor_of(const progress_core&) noexcept;
COPROC_API sink_ptr make_sink(progress_core&);
COPROC_API reported_value take(progress_core&);
/// The waiter is completed from the loop, never from inside: when there is a value, or at the end.
/// One at a time.
COPROC_API void wait_for_value(progress_core&, waiter&);
/// The waiter is completed now, from the loop, if it still waits. It is only compared.
COPROC_API void stop_waiting(progress_core&, const waiter*) noexcept;
/// Blocks until wait_for_value would complete. False: on this thread it never would.
COPROC_API bool block_until_value(progress_core&);
COPROC_API bool has_ended(const progress_core&) noexcept;
COPROC_API std::uint64_t dropped_by(const progress_core&) noexcept;
COPROC_API void close(progress_core&) noexcept;

/// The bytes were no value of the type.
COPROC_API failure undecodable_report(const char* what);
COPROC_API failure no_memory_for_report() noexcept;
COPROC_API failure would_deadlock();

} // namespace detail
} // namespace coproc
