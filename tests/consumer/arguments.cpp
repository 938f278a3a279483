// A wrapped main gets its arguments and its environment, and does not run in a worker.
#include <coproc/coproc.hpp>

#include <iostream>

int twice(int n) { return 2 * n; }

int main(int argc, char** argv, char** environment) {
    coproc::executor executor{coproc::own_thread, {.max_workers = 1}};
    coproc::result<int> r = executor.submit(twice, argc).get();
    std::cout << argv[1] << ' ' << (environment[0] != nullptr) << ' ' << r.value() << '\n';
}
