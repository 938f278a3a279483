#pragma once

#include "memory/crash_record.hpp"

namespace coproc::worker {

/// What the crash handler needs.
struct crash_handler_options {
    memory::crash_record* record = nullptr; ///< in the shared page; never unmapped
    int socket = -1;                        ///< the connection to the parent; -1: there is none
    bool core_dumps = false;
};

/// Writes down which modules are loaded. Call it again after loading one: frames in modules that
/// are not in the list arrive as bare addresses.
void record_modules(memory::crash_record& record);

/// From now on a fatal signal in this process is told to the parent before the process dies of it:
/// signal and address first, with a doorbell frame on the socket, then a backtrace. The disposition
/// that the signal had before is then applied to it, so a sanitizer still prints its report and the
/// parent reaps the real signal.
///
/// Call it once, and again in a forked worker, in the thread that runs tasks: that thread's stack
/// overflows are covered, those of other threads end the process without a record. Children that a
/// task forks are not covered.
void install_crash_handler(const crash_handler_options& options);

} // namespace coproc::worker
