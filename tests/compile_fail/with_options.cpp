// expect: an address means nothing in another process
#include "support.hpp"

int use(int* value);
int use_value(int value);
static_assert(can_submit<decltype(use_value)&, int>);

void run(coproc::executor& executor, int& value) {
    const coproc::task_options options;
#ifdef GOOD
    executor.submit(options, use_value, value);
#else
    executor.submit(options, use, &value);
#endif
}
