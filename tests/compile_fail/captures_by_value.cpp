// expect: pass the values as arguments, or as members of a function object
#include "support.hpp"

struct multiply {
    int factor;
    int operator()(int x) const { return factor * x; }
};

void run(coproc::executor& executor, int factor) {
#ifdef GOOD
    executor.submit(multiply{factor}, 2);
#else
    executor.submit([factor](int x) { return factor * x; }, 2);
#endif
}
