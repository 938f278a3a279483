#pragma once

namespace coproc::worker {

/// Writes what lies in the buffers of stdout and std::cout. Of a task it is seen then before the
/// result is: afterwards the worker may be killed at any time, since it is idle, and nothing would
/// tell that something is missing. What the stream throws is dropped: the program hears of a closed
/// pipe where it writes.
void flush_output() noexcept;

} // namespace coproc::worker
