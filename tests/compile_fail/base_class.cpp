// expect: only aggregates without C arrays, base classes, bit-fields, unions and references
#include "support.hpp"

struct shape {
    int colour;
};
#ifdef GOOD
struct circle {
    shape looks;
    double radius;
};
#else
struct circle : shape {
    double radius;
};
#endif
double area(const circle& of);

void run(coproc::executor& executor, const circle& of) { executor.submit(area, of); }
