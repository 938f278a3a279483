#pragma once

#include <unistd.h>

namespace coproc::test {

/// Computes until the process is killed.
[[noreturn]] inline void compute_for_ever() {
    for (volatile unsigned n = 0;;) {
        const unsigned last = n;
        n = last + 1;
#ifdef __SANITIZE_THREAD__
        ::usleep(0); // ThreadSanitizer delivers signals in calls of the C library only
#endif
    }
}

} // namespace coproc::test
