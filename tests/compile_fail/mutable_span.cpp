// expect: the change would stay in the worker
// expect: argument<1, std::span<
#include "support.hpp"

#include <vector>

void fill(std::span<float> values);
float sum(std::span<const float> values);
static_assert(!can_submit<decltype(fill)&, std::vector<float>&>);

void run(coproc::executor& executor, std::vector<float>& values) {
#ifdef GOOD
    executor.submit(sum, values);
#else
    executor.submit(fill, values);
#endif
}
