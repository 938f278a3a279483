#pragma once

// How deep executors lie in tasks of executors.
namespace coproc::worker {

/// How many executors' tasks this thread's work is in: 0 in the program itself, 1 in a worker of
/// its executors. All threads of a worker process have the worker's, so does the thread that
/// start_method::in_process has in its place.
[[nodiscard]] unsigned nesting_depth() noexcept;

/// Whether this thread is a worker, of start_method::in_process.
[[nodiscard]] bool is_worker_thread() noexcept;

/// Says so of this process, or of this thread only.
void set_process_depth(unsigned depth) noexcept;
void set_thread_depth(unsigned depth) noexcept;

} // namespace coproc::worker
