// A user's library with workers of its own; uses_library.cpp, its user, knows nothing of them.
#include <coproc/coproc.hpp>

int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

int fib_in_a_worker(int n) {
    coproc::executor executor(coproc::own_thread,
                              {.max_workers = 1, .start = coproc::start_method::program});
    return executor.submit(fib, n).get().value();
}
