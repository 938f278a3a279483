#pragma once

namespace coproc::worker {

/// Writes what lies in the buffers of stdout and std::cout. Of a task it is seen then before the
/// result is: afterwards the worker may be killed at any time, since it is idle, and nothing would
/// tell that something is missing. What the stream throws is dropped: the program hears of a closed
/// pipe where it writes.
void flush_output() noexcept;

/// Likewise, and std::clog: before a fork, since what lies in a buffer would be written by the
/// worker, too.
void flush_outputs() noexcept;

} // namespace coproc::worker
