// Which parameters are refused.
#include "can_submit.hpp"

#include <asio.hpp> // as most users do: GCC then tells less about macros

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

void add_to(int amount, int& sum);
int added(int amount, const int& sum);
void fill(std::span<float> values);
float total(std::span<const float> values);
int sum_of(int count, const int* values);
int sum(std::span<const int> values);
long length(std::FILE* file);
long length_of(const char* path);
void overwrite(char* text);
int owned(std::shared_ptr<int> value);
int wrapped(std::reference_wrapper<int> value);
int ranged(std::vector<int>::const_iterator first, std::vector<int>::const_iterator last);
int applied(int x, const std::function<int(int)>& f);

static_assert(can_submit<decltype(added)&, int, int&>);
static_assert(cannot_submit<decltype(add_to)&, int, int&>);
static_assert(cannot_submit<decltype(add_to)&, int, int>, "no call either");
static_assert(cannot_submit<decltype(fill)&, std::vector<float>&>);
static_assert(cannot_submit<decltype(sum_of)&, int, int*>);
static_assert(cannot_submit<decltype(sum_of)&, int, std::nullptr_t>);
static_assert(cannot_submit<decltype(length)&, std::FILE*>);
static_assert(can_submit<decltype(length_of)&, char*>);
static_assert(cannot_submit<decltype(owned)&, std::shared_ptr<int>>);
static_assert(cannot_submit<decltype(wrapped)&, int&>);
static_assert(cannot_submit<decltype([](auto& x) { ++x; }), int&>);
static_assert(cannot_submit<decltype([](auto x) { return *x; }), int*>);
static_assert(cannot_submit<decltype([](auto x) { return x.size(); }), std::span<int>>);
static_assert(can_submit<decltype([](auto x) { return x.size(); }), std::span<const int>>);

void run(coproc::executor& executor, int& value, std::vector<float>& floats) {
    // error: the change would stay in the worker: take a value, const T& or std::span<const T>
    // error: argument<2, int
    executor.submit(add_to, 1, value);
    executor.submit(added, 1, value).detach();
    // error: the change would stay in the worker
    executor.submit([](auto& x) { ++x; }, value);
    executor.submit([](const auto& x) { return x + 1; }, value).detach();
    // error: the change would stay in the worker
    // error: argument<1, std::span<
    executor.submit(fill, floats);
    executor.submit(total, floats).detach();

    const std::vector<int> numbers{1, 2, 3};
    const int array[] = {1, 2, 3};
    // error: an address means nothing in another process: pass the object itself
    // error: argument<2, const int
    executor.submit(sum_of, 3, array);
    executor.submit(sum, array).detach();
    // error: an address means nothing in another process: pass the object itself
    executor.submit(ranged, numbers.begin(), numbers.end());
    executor.submit(sum, numbers).detach();
    // error: an address means nothing in another process: pass the object itself
    executor.submit(length, stdin);
    executor.submit(length_of, "/etc/hostname").detach();
    char text[] = "text";
    // error: an address means nothing in another process: pass the object itself
    executor.submit(overwrite, text);
    // error: an address means nothing in another process: pass the object itself
    // error: argument<1, std::shared_ptr<int>
    executor.submit(owned, std::make_shared<int>(1));
    // error: an address means nothing in another process: pass the object itself
    executor.submit(wrapped, std::ref(value));
    // error: std::function cannot be sent: pass the function itself
    // error: argument<2, const std::function<int
    executor.submit(applied, 1, [](int x) { return x; });

    const coproc::task_options options;
    // error: an address means nothing in another process: pass the object itself
    executor.submit(options, sum_of, 3, array);
    // error: an address means nothing in another process: pass the object itself
    executor.submit({.name = "task"}, sum_of, 3, array);
    executor.submit(options, sum, array).detach();
}
