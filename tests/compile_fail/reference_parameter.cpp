// expect: the change would stay in the worker: take a value, const T& or std::span<const T>
// expect: argument<2, int
#include "support.hpp"

void add_to(int amount, int& sum);
int added(int amount, const int& sum);
static_assert(!can_submit<decltype(add_to)&, int, int&>);

void run(coproc::executor& executor, int& sum) {
#ifdef GOOD
    executor.submit(added, 1, sum);
#else
    executor.submit(add_to, 1, sum);
#endif
}
