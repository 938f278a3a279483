// Lets executors live and end at random for a while, with crashes, leaks, arrays, resizes,
// time-outs and shutdowns, and looks at what is left: no more descriptors, processes, threads and
// memory than there were.
//
//     soak [SECONDS [SEED]]      600 s unless given

#include "soak/belongings.hpp"
#include "soak/life.hpp"

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <thread>

namespace {

using soak::belongings;
using clock_type = std::chrono::steady_clock;

/// Some lives at a time, one after the other until then.
void live_until(clock_type::time_point end, std::uint64_t& seed, soak::tally& all) {
    asio::io_context loop;
    constexpr int at_a_time = 3;
    const auto next = [&](auto& self) -> void {
        if (clock_type::now() >= end) {
            return;
        }
        asio::co_spawn(loop, soak::live(seed++, all), [&self](const std::exception_ptr& thrown) {
            if (thrown) {
                std::rethrow_exception(thrown);
            }
            self(self);
        });
    };
    for (int i = 0; i < at_a_time; ++i) {
        next(next);
    }
    loop.run();
}

void print(const char* when, const belongings& had) {
    std::cout << when << ": " << had.descriptors << " descriptors, " << had.children
              << " processes, " << had.others << " elsewhere, " << had.threads << " threads, "
              << had.private_kb << " kB of private memory, " << had.heap_bytes / 1000
              << " kB of it allocated\n";
}

void print(const soak::tally& all) {
    std::cout << all.executors << " executors, " << all.workers << " workers, " << all.submitted
              << " tasks: " << all.values << " values, " << all.unseen << " unseen";
    for (const auto& [code, count] : all.failures) {
        std::cout << ", " << count << " times \"" << coproc::make_error_code(code).message() << '"';
    }
    std::cout << '\n';
}

/// What the first lives make, the later ones use. The heap is fragmented; what is allocated in it
/// tells of some bytes an executor.
constexpr long allowed_growth_kb = 10'000;
constexpr std::size_t allowed_growth_of_heap = 100'000;

bool ended_as_it_began(const belongings& before, const belongings& after) {
    return after.descriptors <= before.descriptors && after.children == 0 && after.others == 0 &&
           after.threads <= before.threads &&
           after.private_kb <= before.private_kb + allowed_growth_kb &&
           after.heap_bytes <= before.heap_bytes + allowed_growth_of_heap;
}

} // namespace

int main(int argc, char** argv) {
    const auto seconds = std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : 600);
    std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
    const auto start = clock_type::now();
    soak::tally all;
    live_until(start + seconds / 10, seed, all);
    const belongings before = belongings::now();
    print("after a tenth of the time", before);
    live_until(start + seconds, seed, all);
    const belongings after = belongings::now();
    print("in the end", after);
    print(all);
    if (all.wrong > 0) {
        std::cout << all.wrong << " results are wrong; the first: " << all.first_wrong << '\n';
    }
    const bool fine = all.wrong == 0 && ended_as_it_began(before, after);
    std::cout << (fine ? "all is as it was\n" : "FAILED\n");
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
