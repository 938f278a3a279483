// expect: only aggregates without C arrays, base classes, bit-fields, unions and references
#include "support.hpp"

struct flags {
#ifdef GOOD
    unsigned level;
    unsigned colour;
#else
    unsigned level : 3;
    unsigned colour : 5;
#endif
};
int use(flags value);

void run(coproc::executor& executor, flags value) { executor.submit(use, value); }
