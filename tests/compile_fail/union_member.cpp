// expect: only aggregates without C arrays, base classes, bit-fields, unions and references
// expect: member<2, number>
#include "support.hpp"

#ifdef GOOD
struct number {
    double value;
};
#else
union number {
    long whole;
    double real;
};
#endif
struct cell {
    int row;
    number content;
};
int use(const cell& value);

void run(coproc::executor& executor, const cell& value) { executor.submit(use, value); }
