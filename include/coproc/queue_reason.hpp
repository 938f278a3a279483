#pragma once

#include <cstdint>

namespace coproc {

/// Why a task waits for a worker.
enum class queue_reason : std::uint8_t {
    submitted,  ///< it was accepted
    taken_back, ///< the worker that had it had not begun it, or of a chunk not all: another one
                ///< does
    retried,    ///< its worker died in it, and task_options::retries let it run again
};

} // namespace coproc
