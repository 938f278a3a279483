// expect: a member function needs its object: pass a lambda without captures
#include "support.hpp"

struct account {
    int balance = 0;
    int doubled() const { return 2 * balance; }
};
static_assert(!can_submit<decltype(&account::doubled), account>);
static_assert(!can_submit<decltype(&account::doubled), account*>);

void run(coproc::executor& executor, const account& mine) {
#ifdef GOOD
    executor.submit([](const account& of) { return of.doubled(); }, mine);
#else
    executor.submit(&account::doubled, &mine);
#endif
}
