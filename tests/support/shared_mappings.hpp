#pragma once

#include <cstddef>
#include <fstream>
#include <span>
#include <string>
#include <vector>

namespace test {

/// The memory that this process shares with others and can write to: in a worker, its page.
inline std::vector<std::span<std::byte>> shared_mappings() {
    std::vector<std::span<std::byte>> found;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        if (line.find("rw-s") != std::string::npos && line.find("memfd:") != std::string::npos) {
            const auto first = std::stoull(line, nullptr, 16);
            const auto last = std::stoull(line.substr(line.find('-') + 1), nullptr, 16);
            found.emplace_back(reinterpret_cast<std::byte*>(first), last - first);
        }
    }
    return found;
}

} // namespace test
