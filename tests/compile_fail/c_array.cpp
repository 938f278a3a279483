// expect: only aggregates without C arrays, base classes, bit-fields, unions and references
// expect: member<2, position>
#include "support.hpp"

#include <array>

struct position {
#ifdef GOOD
    std::array<double, 3> at;
#else
    double at[3];
#endif
};
struct body {
    double mass;
    position where;
};
double energy(const body& of);

void run(coproc::executor& executor, const body& of) { executor.submit(energy, of); }
