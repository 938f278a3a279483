#include "worker/flush_output.hpp"

#include <cstdio>
#include <iostream>

#include <stdio_ext.h>

void coproc::worker::flush_output() noexcept {
    try {
        std::cout.flush();
    } catch (...) {
        // See the declaration.
    }
    if (::__fpending(stdout) > 0) { // std::cout may have been told not to share its buffer
        std::fflush(stdout);
    }
}
