#pragma once

#include <chrono>
#include <cstddef>
#include <fstream>
#include <string>
#include <thread>

#include "support/processes.hpp"

#include <malloc.h>

namespace soak {

/// What a process has, and must have again when all is over.
struct belongings {
    std::size_t descriptors = 0;
    std::size_t children = 0;
    std::size_t others = 0; ///< processes of this program, whosever children
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

    /// Those that were workers of workers that were killed have a second to notice.
    static std::size_t other_processes() {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
        std::size_t found = test::processes_of_this_program() - 1;
        while (found > 0 && std::chrono::steady_clock::now() < end) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            found = test::processes_of_this_program() - 1;
        }
        return found;
    }

    static belongings now() {
        ::malloc_trim(0);
        const auto heap = ::mallinfo2();
        return {.descriptors = test::open_descriptors(),
                .children = test::children().size(),
                .others = other_processes(),
                .threads = field("Threads"),
                .private_kb = field("RssAnon"),
                .heap_bytes = heap.uordblks + heap.hblkhd};
    }
};

} // namespace soak
