#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <typeinfo>
#include <vector>

namespace coproc::worker {

/// What lives as long as a worker: objects of its tasks, and what they want done at its end. For
/// the thread that runs tasks.
class worker_scope {
public:
    worker_scope() = default;
    worker_scope(const worker_scope&) = delete;
    worker_scope& operator=(const worker_scope&) = delete;
    ~worker_scope() { leave(); }

    void* find(const std::type_info& type) const noexcept;
    void keep(const std::type_info& type, void* object, void (*destroy)(void*) noexcept);
    void on_exit(std::function<void()> hook) { hooks_.push_back(std::move(hook)); }

    /// Runs the hooks, then destroys the objects, the last first.
    void leave() noexcept;

    /// A task has asked that the worker be replaced after it.
    bool retiring = false;

private:
    struct object {
        const std::type_info* type;
        void* address;
        void (*destroy)(void*) noexcept;
    };

    std::vector<object> objects_;
    std::vector<std::function<void()>> hooks_;
};

/// Of the worker that this thread serves; null outside of workers.
inline thread_local worker_scope* this_thread_scope = nullptr;

} // namespace coproc::worker
