// Submits a task in a static constructor, which workers run as well.
#include <coproc/coproc.hpp>

#include <iostream>

int same(int n) { return n; }

namespace {
const bool eager = [] {
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    const auto got = executor.submit(same, 7).get();
    if (!coproc::in_worker()) {
        if (got) {
            std::cout << got.value() << std::endl;
        } else {
            std::cout << got.error() << std::endl;
        }
    }
    return got.has_value();
}();
} // namespace

int main() { return eager ? 0 : 1; }
