// expect: a lambda with captures, or a function object without a codec, cannot be sent
// expect: state_of_the_function<
#include "support.hpp"

void run(coproc::executor& executor, int factor) {
    auto closure = [&](int x) { return factor * x; };
    static_assert(!can_submit<decltype(closure)&, int>);
#ifdef GOOD
    executor.submit([](int by, int x) { return by * x; }, factor, 2);
#else
    executor.submit(closure, 2);
#endif
}
