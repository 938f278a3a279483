// expect: the type has no codec: specialise coproc::codec for it
// expect: result_of_the_function<account>
#include "support.hpp"

class account {
public:
    explicit account(int balance) : balance_(balance) {}
    int balance() const { return balance_; }

private:
    int balance_;
};
account open(int balance);
int open_account(int balance);

void run(coproc::executor& executor) {
#ifdef GOOD
    executor.submit(open_account, 1);
#else
    executor.submit(open, 1);
#endif
}
