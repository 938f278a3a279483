// A program that links coproc alone says the line itself.
#include <coproc/coproc.hpp>

#include <iostream>

int twice(int n) { return 2 * n; }

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    coproc::executor executor{coproc::own_thread, {.max_workers = 1}};
    coproc::result<int> r = executor.submit(twice, 21).get();
    std::cout << r.value() << '\n';
}
