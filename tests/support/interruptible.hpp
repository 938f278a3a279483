#pragma once

#include <coproc/job.hpp>

#include <utility>

#include <unistd.h>

namespace test {

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
