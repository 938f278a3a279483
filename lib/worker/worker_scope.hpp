#pragma once

#include <cstdint>
#include <deque>
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

    void on_cleanup(std::function<void()> hook) { cleanup_hooks_.push_back(std::move(hook)); }

    /// Runs the hooks for cleaning up, the first first.
    void clean_up() noexcept;
    /// Runs the hooks for the end, then destroys the objects, the last first.
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
    std::deque<std::function<void()>> cleanup_hooks_; // they may add hooks while they run
};

/// Of the worker that this thread serves; null outside of workers.
inline thread_local worker_scope* this_thread_scope = nullptr;

} // namespace coproc::worker
