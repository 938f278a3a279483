#include "worker/worker_scope.hpp"

#include "coproc/worker.hpp"
#include "worker/current_task.hpp"

#include <algorithm>
#include <stdexcept>

// What tasks may ask about their worker, and of it.
namespace coproc {
namespace worker {

void* worker_scope::find(const std::type_info& type) const noexcept {
    const auto found = std::find_if(objects_.begin(), objects_.end(),
                                    [&](const object& o) { return *o.type == type; });
    return found == objects_.end() ? nullptr : found->address;
}

void worker_scope::keep(const std::type_info& type, void* address,
                        void (*destroy)(void*) noexcept) {
    objects_.push_back({&type, address, destroy});
}

void worker_scope::clean_up() noexcept {
    for (std::size_t i = 0, count = cleanup_hooks_.size(); i < count; ++i) {
        try {
            cleanup_hooks_[i]();
        } catch (...) {
            // What it has not freed will be measured.
        }
    }
}

void worker_scope::leave() noexcept {
    while (!hooks_.empty()) { // hooks may add hooks
        const std::function<void()> hook = std::move(hooks_.back());
        hooks_.pop_back();
        try {
            hook();
        } catch (...) {
            // Nobody is there any more to be told.
        }
    }
    while (!objects_.empty()) {
        const object last = objects_.back();
        objects_.pop_back();
        last.destroy(last.address);
    }
}

namespace {

worker_scope& scope_of_this_thread() {
    if (this_thread_scope == nullptr) {
        throw std::logic_error("coproc: this_worker has objects and hooks on the thread that runs "
                               "a worker's tasks, and nowhere else");
    }
    return *this_thread_scope;
}

} // namespace
} // namespace worker

std::size_t this_worker::slot() noexcept { return worker::this_thread_slot; }

void this_worker::on_exit(std::function<void()> hook) {
    worker::scope_of_this_thread().on_exit(std::move(hook));
}

void this_worker::on_cleanup(std::function<void()> hook) {
    worker::scope_of_this_thread().on_cleanup(std::move(hook));
}

void this_worker::retire() noexcept {
    const worker::current_task* const task = worker::this_thread_task;
    if (worker::this_thread_scope != nullptr && task != nullptr && !task->header->initializer) {
        worker::this_thread_scope->retiring = true;
    }
}

void* detail::find_local(const std::type_info& type) {
    return worker::scope_of_this_thread().find(type);
}

void detail::keep_local(const std::type_info& type, void* object, void (*destroy)(void*) noexcept) {
    worker::scope_of_this_thread().keep(type, object, destroy);
}

} // namespace coproc
