// expect: the function cannot be called with these arguments
#include "support.hpp"

int add(int a, int b);
static_assert(!can_submit<decltype(add)&, int>);
static_assert(!can_submit<decltype(add)&, int, const char*>);

void run(coproc::executor& executor) {
#ifdef GOOD
    executor.submit(add, 1, 2);
#else
    executor.submit(add, 1);
#endif
}
