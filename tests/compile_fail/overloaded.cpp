// expect: the function is overloaded or a template, which names no single one: pass a lambda
#include "support.hpp"

int half(int x);
double half(double x);

void run(coproc::executor& executor) {
#ifdef GOOD
    executor.submit([](double x) { return half(x); }, 1.0);
#else
    executor.submit(half, 1.0);
#endif
}
