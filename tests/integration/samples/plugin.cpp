#include "integration/samples/plugin.hpp"

#include <cstdlib>

// A library that is loaded while the program runs, in builds that differ in ANSWER.

#define PLUGIN extern "C" __attribute__((visibility("default")))

namespace {

int exported_answer(int n) { return ANSWER + n; }
COPROC_EXPORT(exported_answer)

#ifdef CRASHES_IN_WORKERS
const bool crashed = [] {
    if (coproc::in_worker()) {
        std::abort();
    }
    return false;
}();
#endif

} // namespace

PLUGIN int plugin_answer(int n) { return ANSWER + n; }

PLUGIN void plugin_submit(coproc::executor& executor, int n, std::optional<coproc::job<int>>& job) {
    job.emplace(executor.submit([](int more) { return ANSWER + 100 + more; }, n));
}
