// A host with a zygote and two busy workers: it prints its number and theirs; somebody kills it.
#include "support/compute.hpp"

#include <coproc/coproc.hpp>

#include <cstdio>
#include <string>

#include <unistd.h>

int zygote = 0;

void remember_zygote() { zygote = ::getpid(); }

void write_numbers(const std::string& numbers) {
    // Standard output is that of the host.
    static_cast<void>(::write(STDOUT_FILENO, numbers.data(), numbers.size()));
}

int tell_zygote() { return zygote; }

int compute() {
    write_numbers(std::to_string(::getpid()) + "\n");
    coproc::test::compute_for_ever();
}

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    const coproc::executor_options options{.max_workers = 2,
                                           .start = coproc::start_method::forkserver,
                                           .preload = {coproc::call(remember_zygote)}};
    coproc::executor executor(coproc::own_thread, options);
    const int forks = executor.submit(tell_zygote).get().value();
    write_numbers(std::to_string(::getpid()) + " " + std::to_string(forks) + "\n");
    executor.submit(compute).detach();
    static_cast<void>(executor.submit(compute).get());
}
