#pragma once

#include <cstddef>
#include <fstream>
#include <string>

#include "support/processes.hpp"

#include <malloc.h>

namespace soak {

/// What a process has, and must have again when all is over.
struct belongings {
    std::size_t descriptors = 0;
    std::size_t children = 0;
    long threads = 0;
    long private_kb = 0;
    std::size_t heap_bytes = 0; ///< that are allocated; what malloc keeps does not count

    static long field(const std::string& name) {
        std::ifstream status("/proc/self/status");
        for (std::string word; status >> word;) {
            if (word == name + ':') {
                long value = 0;
                status >> value;
                return value;
            }
        }
        return -1;
    }

    static belongings now() {
        ::malloc_trim(0);
        const auto heap = ::mallinfo2();
        return {.descriptors = test::open_descriptors(),
                .children = test::children().size(),
                .threads = field("Threads"),
                .private_kb = field("RssAnon"),
                .heap_bytes = heap.uordblks + heap.hblkhd};
    }
};

} // namespace soak
