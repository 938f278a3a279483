#pragma once

#include <coproc/job.hpp>

#include <csignal>
#include <utility>

#include <unistd.h>

namespace test {

/// The signal by which a test ends a worker that waits for tasks, as its parent may.
#ifdef __SANITIZE_THREAD__
inline constexpr int end_of_idle = SIGKILL; // it would deliver no other until the next task comes
#else
inline constexpr int end_of_idle = SIGTERM;
#endif

/// The result of a job, for a task whose worker a signal may have to end while it waits.
template <class R>
coproc::result<R> get(coproc::job<R> pending) {
#ifdef __SANITIZE_THREAD__
    while (!pending.ready()) {
        ::usleep(100); // ThreadSanitizer delivers signals in calls of the C library only
    }
#endif
    return std::move(pending).get();
}

} // namespace test
