// Computes with OpenMP's threads: here, in workers that are started while these threads are there,
// and here again. Prints what it has counted.
#include <coproc/coproc.hpp>

#include <iostream>
#include <vector>

namespace {

/// The sum of the numbers below n, by at least two threads.
int sum(int n) {
    int total = 0;
#pragma omp parallel for num_threads(2) reduction(+ : total)
    for (int i = 0; i < n; ++i) {
        total += i;
    }
    return total;
}

} // namespace

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    std::cout << sum(100);
    coproc::executor executor(coproc::own_thread, {.max_workers = 2});
    std::vector<coproc::job<int>> jobs;
    for (int n = 101; n <= 104; ++n) {
        jobs.push_back(executor.submit(sum, n));
    }
    std::cout << ' ' << sum(100);
    for (auto& job : jobs) {
        std::cout << ' ' << std::move(job).get().value();
    }
    executor.shutdown();
    std::cout << ' ' << sum(100) << '\n';
}
