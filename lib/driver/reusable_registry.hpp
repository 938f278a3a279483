#pragma once

#include "coproc/executor.hpp"
#include "coproc/reuse_options.hpp"
#include "reuse/decision.hpp"

#include <compare>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace coproc::detail {

class own_loop;

/// The reusable executors of this process. lib/reuse decides what becomes of one; this does it.
///
/// It is never destroyed: what refers to it may outlive all static objects.
class reusable_registry {
public:
    /// A forked child has one of its own: the parent's may be locked by a thread that is not there.
    static reusable_registry& instance();

    std::shared_ptr<executor> get(executor_options wanted, const reuse_options&);

    /// The program ends: all tasks of the executors that were made here run to their end.
    void finish_tasks();

private:
    /// With start_method::in_process tasks are in this process, and yet have executors of their
    /// own, as they would have in a worker: else a task would wait for itself.
    struct key {
        unsigned depth;
        std::string name;
        // NOLINTNEXTLINE(modernize-use-nullptr): clang 14 looks into what is generated
        friend auto operator<=>(const key&, const key&) = default;
    };
    struct entry {
        std::shared_ptr<executor> handle;
        std::shared_ptr<executor_impl> impl; ///< of the handle
        executor_options options;            ///< as it was made
    };
    /// Also those that were replaced, until they have ended.
    struct made {
        unsigned depth;
        std::weak_ptr<executor_impl> impl;
        std::weak_ptr<own_loop> loop;
    };
    /// The same at the end of the program, kept for ever.
    struct kept {
        std::shared_ptr<executor_impl> impl;
        std::shared_ptr<own_loop> loop;
    };

    explicit reusable_registry(std::uint32_t fork_generation, reusable_registry* parents) noexcept
        : fork_generation_(fork_generation), parents_(parents) {}

    entry make(unsigned depth, executor_options options, std::optional<std::size_t> max_workers);
    entry make(unsigned depth, executor_options options);
    static entry make_unlisted(executor_options options);
    std::vector<kept> take_outermost();
    static void finish_tasks_of(const std::vector<kept>&);
    static void stop_all(const std::vector<kept>&);

    const std::uint32_t fork_generation_;
    reusable_registry* const parents_; // of the process that forked this one: kept, and left alone

    std::mutex mutex_;
    std::map<key, entry> entries_;
    std::vector<made> made_;
    std::vector<kept> kept_;
    // At the end of the program: executors of a lesser depth are not given any more.
    unsigned closed_below_ = 0;
};

} // namespace coproc::detail
