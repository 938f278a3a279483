// expect: an address means nothing in another process: pass the object itself
// expect: argument<2, const int
#include "support.hpp"

int sum_of(int count, const int* values);
int sum(std::span<const int> values);
static_assert(!can_submit<decltype(sum_of)&, int, int*>);
static_assert(!can_submit<decltype(sum_of)&, int, std::nullptr_t>);

void run(coproc::executor& executor, const int (&values)[3]) {
#ifdef GOOD
    executor.submit(sum, values);
#else
    executor.submit(sum_of, 3, values);
#endif
}
