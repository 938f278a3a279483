// Which functions are refused.
#include "can_submit.hpp"

#include <functional>
#include <string>

int add(int a, int b);
int with_default(int a, int b = 1);
int overloaded(int x);
double overloaded(double x);
template <class T>
T templated(T x);

struct account {
    int balance = 0;
    int doubled() const { return 2 * balance; }
};
struct scaled {
    double factor;
    double operator()(double x) const { return factor * x; }
};
struct scaled_elsewhere {
    int offset;
    const double* factor;
    double operator()(double x) const { return *factor * x + offset; }
};
class closed {
public:
    explicit closed(int factor) : factor_(factor) {}
    int operator()(int x) const { return factor_ * x; }

private:
    int factor_;
};

static_assert(can_submit<decltype(add)&, int, short>);
static_assert(cannot_submit<decltype(add)&, int>);
static_assert(cannot_submit<decltype(add)&, int, std::string>);
static_assert(can_submit<decltype(&account::doubled), account>);
static_assert(cannot_submit<decltype(&account::doubled)>);
static_assert(cannot_submit<decltype(&account::doubled), account*>);
static_assert(cannot_submit<decltype(&account::balance), account>);
static_assert(can_submit<scaled, double>);
static_assert(cannot_submit<closed, int>);
static_assert(cannot_submit<std::function<int(int, int)>, int, int>);
static_assert(cannot_submit<int, int>, "not even a function");

void run(coproc::executor& executor, const account& mine, int factor) {
    executor.submit(add, 1, 2).detach();
    // error: the function cannot be called with these arguments
    executor.submit(add, 1);
    // error: the function cannot be called with these arguments
    executor.submit(with_default, 1);
    executor.submit([](int x) { return with_default(x); }, 1).detach();

    // error: the function is overloaded or a template, so its name alone means none: pass a lambda
    executor.submit(overloaded, 1);
    executor.submit(static_cast<int (*)(int)>(overloaded), 1).detach();
    // error: the function is overloaded or a template, so its name alone means none: pass a lambda
    executor.submit({.name = "task"}, overloaded, 1);
    // error: the function is overloaded or a template, so its name alone means none: pass a lambda
    // error: or cast the name to the type of the one that is meant
    executor.submit(templated, 1);
    executor.submit([](int x) { return overloaded(x) + templated(x); }, 1).detach();

    // error: or the options in front of it have no such field
    executor.submit({.title = "task"}, add, 1, 2);
    // error: or one that takes another type
    executor.submit({.timeout = 3}, add, 1, 2);

    // error: a member function needs its object as the first argument
    // error: pass the object, it is copied
    executor.submit(&account::doubled, &mine);
    // error: pass the object, it is copied
    executor.submit(coproc::fn<&account::doubled>, &mine);
    // error: a member function needs its object as the first argument
    executor.submit(&account::doubled);
    // error: the function cannot be called with these arguments
    executor.submit(&account::balance, mine);
    executor.submit(&account::doubled, mine).detach();
    executor.submit([](const account& a) { return a.doubled(); }, mine).detach();

    // error: a lambda with captures, or a function object without a codec, cannot be sent
    // error: [&] would carry dangling addresses
    executor.submit([&](int x) { return factor * x; }, 2);
    // error: pass the values as arguments or through coproc::bind_front(f, values...)
    // error: or vouch for the bytes with coproc::unchecked_closure(f)
    executor.submit([factor](int x) { return factor * x; }, 2);
    // error: a lambda with captures, or a function object without a codec, cannot be sent
    // error: state_of_the_function<closed>
    executor.submit(closed(factor), 2);
    executor.submit([](int by, int x) { return by * x; }, factor, 2).detach();
    executor.submit(scaled{2.5}, 2).detach();

    // error: an address means nothing in another process: pass the object itself
    // error: state_of_the_function<scaled_elsewhere>, coproc::detail::member<2, const double
    executor.submit(scaled_elsewhere{1, nullptr}, 2);
    // error: std::function cannot be sent: pass the function itself
    executor.submit(std::function<int(int, int)>(add), 1, 2);
}
