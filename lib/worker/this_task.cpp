#include "coproc/worker.hpp"
#include "worker/current_task.hpp"

#include <algorithm>

// What a task may ask about itself.
namespace coproc {

using worker::this_thread_task;

bool this_task::stop_requested() noexcept {
    return this_thread_task != nullptr &&
           this_thread_task->page->stop_requested(this_thread_task->sequence);
}

std::stop_token this_task::stop_token() {
    return this_thread_task == nullptr ? std::stop_token() : this_thread_task->token();
}

std::optional<std::chrono::steady_clock::time_point> this_task::deadline() noexcept {
    using clock = std::chrono::steady_clock;
    if (this_thread_task == nullptr) {
        return std::nullopt;
    }
    const wire::task_header& header = *this_thread_task->header;
    std::optional<clock::time_point> nearest;
    if (header.deadline_ns != wire::never_ns) {
        nearest = clock::time_point(std::chrono::nanoseconds(header.deadline_ns));
    }
    if (header.run_limit_ns != wire::never_ns) {
        const std::chrono::nanoseconds limit(header.run_limit_ns);
        const auto started = this_thread_task->started;
        const auto end =
            limit < clock::time_point::max() - started ? started + limit : clock::time_point::max();
        nearest = nearest ? std::min(*nearest, end) : end;
    }
    return nearest;
}

std::uint64_t this_task::id() noexcept {
    return this_thread_task == nullptr ? 0 : this_thread_task->header->id;
}

std::string_view this_task::name() noexcept {
    return this_thread_task == nullptr ? std::string_view() : this_thread_task->header->name;
}

} // namespace coproc
