// expect: an address means nothing in another process
#include "support.hpp"

#include <cstdio>

long length(std::FILE* file);
long length_of(const char* path);
static_assert(!can_submit<decltype(length)&, std::FILE*>);

void run(coproc::executor& executor) {
#ifdef GOOD
    executor.submit(length_of, "/etc/hostname");
#else
    executor.submit(length, stdin);
#endif
}
