// An application that knows nothing of coproc: it does not call coproc::init, and is not linked
// with it. Two of its libraries have workers, each its own.
#include "image.hpp"
#include "model.hpp"

#include <exception>
#include <iostream>

int main() {
    const image::picture half = image::halve({4, 2, {10, 20, 30, 40, 50, 60, 70, 80}});
    std::cout << "image: 4 x 2 became " << half.width << " x " << half.height << '\n';
    std::cout << "model: " << model::score({0.25, 0.75}) << '\n';
    try {
        image::halve({1000, 1000, {1, 2, 3}});
    } catch (const std::exception& error) {
        std::cout << "image: " << error.what() << '\n';
    }
    std::cout << "model: " << model::score({0.5}) << '\n';
}
