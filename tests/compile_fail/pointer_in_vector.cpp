// expect: an address means nothing in another process: pass the object itself
// expect: element<char
#include "support.hpp"

std::size_t total(const std::vector<char*>& words);
std::size_t total_of(const std::vector<std::string>& words);
static_assert(!can_submit<decltype(total)&, std::vector<char*>>);

void run(coproc::executor& executor) {
#ifdef GOOD
    executor.submit(total_of, std::vector<std::string>{"a"});
#else
    executor.submit(total, std::vector<char*>{});
#endif
}
