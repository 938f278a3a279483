// The program coproc-worker: what workers of start_method::program execute unless they are given
// another one. It has no tasks of its own; it loads the shared libraries that functions lie in.
#include <coproc/worker.hpp>

#include <cstdio>

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    std::fputs("coproc-worker is started by programs that use coproc, with start_method::program; "
               "it does nothing by itself.\n",
               stderr);
    return 2;
}
