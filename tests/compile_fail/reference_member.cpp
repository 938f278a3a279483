// expect: only aggregates without C arrays, base classes, bit-fields, unions and references
#include "support.hpp"

struct job {
#ifdef GOOD
    std::string text;
#else
    const std::string& text;
#endif
};
int run_job(const job& what);

void run(coproc::executor& executor, const job& what) { executor.submit(run_job, what); }
