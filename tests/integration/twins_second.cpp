#include "integration/twins.hpp"

// What is called the same in the other file, and does something else.

static const auto twin = [](int n) { return n + 20; };

static int plain(int n) { return n + 20; }

namespace {

struct object {
    int operator()(int n) const { return n + 20; }
};

template <class T>
int made(T n) {
    return n + 20;
}

} // namespace

static void submit_local(coproc::executor& executor, int n, std::vector<coproc::job<int>>& jobs) {
    jobs.push_back(executor.submit([](int number) { return number + 20; }, n));
    jobs.push_back(executor.submit([](auto number) { return number + 20; }, n));
    jobs.push_back(executor.submit(coproc::fn<[](int number) { return number + 20; }>, n));
}

std::vector<coproc::job<int>> twins::submit_second(coproc::executor& executor, int n) {
    std::vector<coproc::job<int>> jobs;
    jobs.push_back(executor.submit(twin, n));
    jobs.push_back(executor.submit(plain, n));
    jobs.push_back(executor.submit(coproc::fn<plain>, n));
    jobs.push_back(executor.submit(object(), n));
    jobs.push_back(executor.submit(made<int>, n));
    jobs.push_back(executor.submit(coproc::bind_front(twin, n)));
    submit_local(executor, n, jobs);
    return jobs;
}
