// expect: an address means nothing in another process
// expect: state_of_the_function<scaled>, coproc::detail::member<2, double
#include "support.hpp"

struct scaled {
    int offset;
#ifdef GOOD
    double factor;
    double operator()(double x) const { return factor * x + offset; }
#else
    double* factor;
    double operator()(double x) const { return *factor * x + offset; }
#endif
};

void run(coproc::executor& executor, const scaled& f) { executor.submit(f, 2.0); }
