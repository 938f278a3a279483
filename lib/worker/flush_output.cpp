#include "worker/flush_output.hpp"

#include <cstdio>
#include <iostream>

#include <stdio_ext.h>

// UndefinedBehaviorSanitizer needs a descriptor to look at the type of an object, and a task may
// have left none.
[[gnu::no_sanitize("vptr")]] void coproc::worker::flush_output() noexcept {
    try {
        std::cout.flush();
    } catch (...) {
        // See the declaration.
    }
    if (::__fpending(stdout) > 0) { // std::cout may have been told not to share its buffer
        std::fflush(stdout);
    }
}

[[gnu::no_sanitize("vptr")]] void coproc::worker::flush_outputs() noexcept {
    flush_output();
    try {
        std::clog.flush();
    } catch (...) {
        // Only a stream that is asked to throws, and this is not the place to tell.
    }
}
