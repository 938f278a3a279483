// A worker of it never says hello.
#include <coproc/worker.hpp>

#include <unistd.h>

namespace {
const bool hangs = [] {
    while (coproc::in_worker()) {
        ::pause();
    }
    return true;
}();
} // namespace

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    return hangs ? 0 : 1;
}
