// expect: std::function cannot be sent: pass the function itself
#include "support.hpp"

#include <functional>

int twice(int x);
static_assert(!can_submit<std::function<int(int)>, int>);

void run(coproc::executor& executor) {
#ifdef GOOD
    executor.submit(twice, 1);
#else
    std::function<int(int)> f = twice;
    executor.submit(f, 1);
#endif
}
