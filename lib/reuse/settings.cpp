#include "reuse/settings.hpp"

#include <chrono>
#include <tuple>

namespace coproc::reuse {
namespace {

// A field that is added to executor_options does not compile here: it must be named, and either
// compared below or said to be none of a replacement's business.
auto compared_fields(const executor_options& options) {
    const auto& [max_workers, min_workers, max_queued, idle_timeout, environment, initializers,
                 initializer_timeout, start, program, preload, executable, leak,
                 max_tasks_per_worker, max_worker_age, max_failed_starts, start_timeout,
                 exit_timeout, max_message_bytes, watch_idle, capture_output, core_dumps, process,
                 observer] = options;
    static_cast<void>(max_workers); // a resize
    static_cast<void>(observer);    // functions cannot be compared: see below
    return std::tie(min_workers, max_queued, idle_timeout, environment, initializers,
                    initializer_timeout, start, program, preload, executable, leak,
                    max_tasks_per_worker, max_worker_age, max_failed_starts, start_timeout,
                    exit_timeout, max_message_bytes, watch_idle, capture_output, core_dumps,
                    process);
}

} // namespace

executor_options with_defaults(executor_options given) {
    given.idle_timeout = given.idle_timeout.value_or(std::chrono::seconds(10));
    given.watch_idle = true;
    return given;
}

bool same_settings(const executor_options& one, const executor_options& other) {
    return !one.observer && !other.observer && compared_fields(one) == compared_fields(other);
}

} // namespace coproc::reuse
