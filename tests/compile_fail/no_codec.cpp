// expect: the type has no codec: specialise coproc::codec for it
// expect: argument<1, const account
#include "support.hpp"

class account {
public:
    explicit account(int balance) : balance_(balance) {}
    int balance() const { return balance_; }

private:
    int balance_;
};
int use(const account& value);

#ifdef GOOD
template <>
struct coproc::codec<account> {
    static void encode(encoder& out, const account& value) { out.write(value.balance()); }
    static account decode(decoder& in) { return account(in.read<int>()); }
};
#endif

void run(coproc::executor& executor, const account& value) { executor.submit(use, value); }
