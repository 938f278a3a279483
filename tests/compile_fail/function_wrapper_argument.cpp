// expect: std::function cannot be sent: pass the function itself
// expect: argument<2, const std::function<
#include "support.hpp"

#include <functional>

int apply(int x, const std::function<int(int)>& f);
int apply_twice(int x);

void run(coproc::executor& executor) {
#ifdef GOOD
    executor.submit(apply_twice, 1);
#else
    executor.submit(apply, 1, [](int x) { return x; });
#endif
}
