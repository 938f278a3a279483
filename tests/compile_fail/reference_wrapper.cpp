// expect: an address means nothing in another process
#include "support.hpp"

#include <functional>

int use(std::reference_wrapper<int> value);
int use_value(int value);

void run(coproc::executor& executor, int& value) {
#ifdef GOOD
    executor.submit(use_value, std::ref(value));
#else
    executor.submit(use, std::ref(value));
#endif
}
