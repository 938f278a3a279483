// expect: an address means nothing in another process
// expect: shared_ptr
#include "support.hpp"

#include <functional>
#include <memory>

int use(std::shared_ptr<int> value);
int use_value(int value);
int use_reference(std::reference_wrapper<int> value);
int use_iterator(std::vector<int>::iterator value);
static_assert(!can_submit<decltype(use)&, std::shared_ptr<int>>);
static_assert(!can_submit<decltype(use_reference)&, int&>);
static_assert(!can_submit<decltype(use_iterator)&, std::vector<int>::iterator>);

void run(coproc::executor& executor, const std::shared_ptr<int>& value) {
#ifdef GOOD
    executor.submit(use_value, *value);
#else
    executor.submit(use, value);
#endif
}
