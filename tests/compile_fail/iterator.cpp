// expect: an address means nothing in another process
#include "support.hpp"

int sum(std::vector<int>::const_iterator first, std::vector<int>::const_iterator last);
int sum_of(std::span<const int> values);

void run(coproc::executor& executor, const std::vector<int>& values) {
#ifdef GOOD
    executor.submit(sum_of, std::span(values.begin(), values.end()));
#else
    executor.submit(sum, values.begin(), values.end());
#endif
}
