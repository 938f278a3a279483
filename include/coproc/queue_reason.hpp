#pragma once

#include <cstdint>
#include <string_view>

#include <coproc/detail/config.hpp>

namespace coproc {

/// Why a task waits for a worker.
enum class queue_reason : std::uint8_t {
    submitted,  ///< it was accepted
    taken_back, ///< the worker that had it had not begun it, or of a chunk not all: another one
                ///< does
    retried,    ///< its worker died in it, and task_options::retries let it run again
};

/// The enumerator's name; empty if the value has none.
[[nodiscard]] COPROC_API std::string_view to_string(queue_reason why) noexcept;

} // namespace coproc
