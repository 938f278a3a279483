#include "support/catch.hpp"
#include "unit/pool_world.hpp"

#include <cstdlib>
#include <string>

// Random histories of the pool in a simulated world. COPROC_SEED repeats one history, COPROC_STEPS
// makes the run longer.
using coproc::test::violation;
using coproc::test::world;

namespace {

constexpr std::size_t steps_per_history = 400;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* const text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

void live_a_history(world& w) {
    w.live(steps_per_history);
    w.settle();
    w.end();
}

// The last part of what led to a violation.
std::string retell(std::uint64_t seed) {
    world again(seed, true);
    std::string story;
    try {
        live_a_history(again);
    } catch (const violation&) {
        const std::vector<std::string>& trace = again.trace();
        const std::size_t from = trace.size() < 80 ? 0 : trace.size() - 80;
        for (std::size_t i = from; i < trace.size(); ++i) {
            story += trace[i] + '\n';
        }
    }
    return story;
}

} // namespace

TEST_CASE("the pool keeps its promises in random histories", "[pool][simulation]") {
    const std::uint64_t only = number_from("COPROC_SEED", 0);
    const std::uint64_t steps = number_from("COPROC_STEPS", 150'000);
    std::uint64_t seed = only != 0 ? only : 1;
    std::uint64_t done = 0;
    do {
        INFO("COPROC_SEED=" << seed); // for what does not get as far as FAIL
        world w(seed, false);
        try {
            live_a_history(w);
        } catch (const violation& v) {
            FAIL(v.what() << "; repeat with COPROC_SEED=" << seed << ". The end of it:\n"
                          << retell(seed));
        }
        done += w.events();
        ++seed;
    } while (only == 0 && done < steps);
    CHECK(done >= steps_per_history);
}
