// expect: the change would stay in the worker
#include "support.hpp"

void run(coproc::executor& executor, int& sum) {
    auto increment = [](auto& x) { ++x; };
    static_assert(!can_submit<decltype(increment)&, int&>);
#ifdef GOOD
    executor.submit([](const auto& x) { return x + 1; }, sum);
#else
    executor.submit(increment, sum);
#endif
}
