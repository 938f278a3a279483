// Starts workers and dies before they know what they are. It prints a line after init, which no
// worker may reach.
#include <coproc/coproc.hpp>

#include <csignal>

#include <unistd.h>

int same(int n) { return n; }

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    static_cast<void>(!::write(STDOUT_FILENO, "main\n", 5));
    if (argc == 1) { // as workers are started
        return 0;
    }
    coproc::executor executor(coproc::own_thread, {.max_workers = 4});
    for (int i = 0; i < 8; ++i) {
        executor.submit(same, i).detach();
    }
    while (executor.stats().started_workers == 0 || executor.stats().starting_workers == 0) {
    }
    // How far the workers come differs.
    while (argc > 2 && executor.stats().starting_workers == executor.stats().started_workers) {
    }
    ::kill(::getpid(), SIGKILL);
}
