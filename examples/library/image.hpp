#pragma once

#include <cstdint>
#include <vector>

// A library that works on pictures. Who uses it need not know that it does so in processes.
namespace image {

struct picture {
    int width = 0;
    int height = 0;
    std::vector<std::uint8_t> grey;
};

/// Half as wide and half as high. Throws std::system_error if the picture cannot be read.
picture halve(const picture& whole);

} // namespace image
