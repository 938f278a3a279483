// A script, and a library that it calls: both ask for an executor where they need one, and nobody
// passes one about.
#include <coproc/coproc.hpp>
#include <coproc/map.hpp>
#include <coproc/reusable.hpp>

#include <cstdlib>
#include <iostream>
#include <ranges>

int square(int n) { return n * n; } // these run in a worker

int divide(int n, int by) {
    if (by == 0) {
        std::abort();
    }
    return n / by;
}

// ---- a library: its name keeps its executor apart from the program's

namespace library {

int sum_of_squares(int n) {
    auto workers = coproc::get_reusable_executor({.max_workers = 1}, {.name = "library"});
    const auto squares = workers->map(square, std::views::iota(1, n + 1)).get();
    int sum = 0;
    for (const int s : squares.value()) {
        sum += s;
    }
    return sum;
}

} // namespace library

// ---- the program

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    const auto workers = coproc::get_reusable_executor({.max_workers = 1});
    bool right = workers->submit(square, 6).get().value() == 36;

    // A crash costs its task. The executor is the same one, also with more workers.
    const auto crash = coproc::get_reusable_executor()->submit(divide, 1, 0).get();
    std::cout << crash.error() << '\n';
    right &= coproc::get_reusable_executor({.max_workers = 2}) == workers;

    // Other options are another executor. The first one serves those who hold it, to the end.
    const auto busy = coproc::get_reusable_executor({.max_tasks_per_worker = 100});
    right &= busy != workers;
    right &= workers->submit(divide, 6, 2).get().value() == 3;
    right &= busy->submit(divide, 6, 3).get().value() == 2;

    // What it is made of does not matter to whoever takes what is there.
    right &= coproc::get_reusable_executor({}, {.reuse = coproc::reuse_policy::always}) == busy;

    right &= library::sum_of_squares(3) == 14;
    std::cout << (right ? "as said\n" : "not as said\n");

    // Nobody waits for this one, and yet it is done when the program has ended.
    busy->submit([] { std::cout << "the last task" << std::endl; }).detach();
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
