// Which kinds of functions are refused: bound ones, closures, coroutines, C variadic functions.
#include "can_submit.hpp"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

int length_of(std::string_view text, int more);
int owned(std::shared_ptr<int> value, int more);
void add_to(int& sum, int amount);
struct account {
    int balance = 0;
    int add(int amount) { return balance += amount; }
    int doubled() const { return 2 * balance; }
    int logged(const char* format, ...);
    auto later() {
        return [this] { return doubled(); };
    }
    auto bound_to_this() { return coproc::bind_front(&account::doubled, this); }
};
struct variadic {
    int operator()(const char* format, ...) const;
};

asio::awaitable<int> later(int n);
asio::awaitable<std::string_view> view_later(std::string_view text);
asio::awaitable<void> change_later(int& n);
asio::awaitable<int, asio::io_context::executor_type> elsewhere(int n);

static_assert(can_submit<decltype(later)&, int>);
static_assert(cannot_submit<decltype(later)&, std::string>);
static_assert(cannot_submit<decltype(view_later)&, const char*>);
static_assert(cannot_submit<decltype(change_later)&, int&>);
static_assert(cannot_submit<decltype(elsewhere)&, int>);
static_assert(cannot_submit<decltype(::printf)&, const char*>);
static_assert(cannot_submit<variadic, const char*>);
static_assert(can_submit<decltype(coproc::bind_front(length_of, "text")), int>);
static_assert(cannot_submit<decltype(coproc::bind_front(length_of, 1)), int>);
static_assert(cannot_submit<decltype(coproc::bind_front(owned, std::shared_ptr<int>())), int>);
static_assert(cannot_submit<decltype(coproc::bind_front(add_to, 1))&, int>);
static_assert(can_submit<decltype(coproc::named<int(int)>("f")), int>);
static_assert(cannot_submit<decltype(coproc::named<int(int)>("f")), std::string>);
static_assert(cannot_submit<decltype(coproc::named<int(int*)>("f")), int*>);

void run(coproc::executor& executor, account& mine, const std::string& text) {
    // error: nothing tells a worker what a C variadic function takes: pass a lambda that calls it
    executor.submit(::printf, "text");
    // error: nothing tells a worker what a C variadic function takes
    executor.submit({.name = "task"}, std::snprintf, nullptr, 0, "text");
    // error: nothing tells a worker what a C variadic function takes
    executor.submit(&account::logged, mine, "text");
    // error: nothing tells a worker what a C variadic function takes
    executor.submit(variadic(), "text");
    executor.submit([](const char* line) { return std::printf("%s", line); }, "text").detach();

    // error: an address means nothing in another process: pass the object itself
    // error: argument<1, std::shared_ptr<int>
    executor.submit(coproc::bind_front(owned, std::make_shared<int>(1)), 2);
    // error: an address means nothing in another process: pass the object itself
    // error: argument<1, std::shared_ptr<int>
    executor.submit(coproc::bind_front(coproc::bind_front(owned, std::make_shared<int>(1)), 2));
    auto added = coproc::bind_front(add_to, 1);
    // error: the change would stay in the worker
    executor.submit(added, 2);
    // error: the function cannot be called with these arguments
    executor.submit(coproc::bind_front(length_of, "text"), 1, 2);
    // error: a lambda with captures, or a function object without a codec, cannot be sent
    executor.submit(coproc::bind_front([&](int n) { return mine.balance + n; }, 1));
    // error: pass the object, it is copied
    executor.submit(mine.bound_to_this());
    // error: a lambda with captures, or a function object without a codec, cannot be sent
    executor.submit(mine.later());
    // error: the function cannot be called with these arguments
    executor.submit(&account::add, std::as_const(mine), 1);

    // error: a closure that captures more than plain data (a std::string, a std::vector
    // error: is more than its bytes: pass the values through coproc::bind_front(f, values...)
    coproc::unchecked_closure([text](int n) { return text.size() + static_cast<std::size_t>(n); });

    // error: nothing owns what the result points to: return std::string
    executor.submit(view_later, "text");
    // error: the change would stay in the worker
    executor.submit(change_later, mine.balance);
    // error: a coroutine function must return asio::awaitable<R>, without an executor of its own
    executor.submit(elsewhere, 1);
    executor.submit(later, 1).detach();

    // error: an address means nothing in another process: pass the object itself
    executor.submit(coproc::named<int(int*)>("f"), &mine.balance);
}
