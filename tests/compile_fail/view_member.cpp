// expect: nothing owns what a view inside another object looks at: use std::string or std::vector
// expect: member<1, std::basic_string_view<
#include "support.hpp"

#include <string_view>

struct named {
#ifdef GOOD
    std::string name;
#else
    std::string_view name;
#endif
    int value;
};
int use(const named& value);

void run(coproc::executor& executor, const named& value) { executor.submit(use, value); }
