// A host with two busy workers, whose numbers it prints; somebody kills it.
#include "support/compute.hpp"

#include <coproc/coproc.hpp>

#include <cstdio>
#include <string>

#include <unistd.h>

int compute() {
    std::string line = std::to_string(::getpid()) + "\n";
    // Standard output is that of the host.
    static_cast<void>(::write(STDOUT_FILENO, line.data(), line.size()));
    coproc::test::compute_for_ever();
}

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    coproc::executor executor(coproc::own_thread, {.max_workers = 2});
    executor.submit(compute).detach();
    static_cast<void>(executor.submit(compute).get());
}
