#pragma once

#include "coproc/error.hpp"

#include <boost/intrusive/list_hook.hpp>
#include <boost/intrusive/set_hook.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>

// What the pool knows of a task. The driver's job derives from it, so that a million queued tasks
// need no second allocation each; the pool never owns a task and never looks past this struct.
namespace coproc::pool {

using time_point = std::chrono::steady_clock::time_point;
using duration = std::chrono::steady_clock::duration;

/// The time that never comes.
inline constexpr time_point never = time_point::max();
/// What one unit of priority is worth: so long must a task of the next lower priority have waited
/// to go first all the same. Waiting makes up for any priority, so no task starves.
inline constexpr duration ageing = std::chrono::seconds(1);
/// What is known of a task after workers have died that had begun it.
constexpr certainty after_deaths(certainty last, unsigned deaths) {
    return deaths > 0 && last == certainty::not_started ? certainty::may_have_run : last;
}

/// The duration that never ends.
inline constexpr duration no_limit = duration::max();

/// `now + length`, where an endless or overflowing length gives `never`.
constexpr time_point after(time_point now, duration length) {
    return length >= never - now ? never : now + length;
}

/// Where a task is that no worker has.
inline constexpr std::uint32_t no_worker = static_cast<std::uint32_t>(-1);

enum class task_state : std::uint8_t {
    created, ///< not yet submitted
    queued,  ///< waits in the pool's queue; no worker has seen it
    staged,  ///< given to a worker, which may have begun it or not: the shared page knows
    warming, ///< no task, but somebody who waits until workers are ready
    done,    ///< completed; the pool does not touch it any more
};

using list_hook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<struct list_tag>,
                                     boost::intrusive::link_mode<boost::intrusive::safe_link>>;
using tree_hook =
    boost::intrusive::set_base_hook<boost::intrusive::tag<struct tree_tag>,
                                    boost::intrusive::link_mode<boost::intrusive::safe_link>,
                                    boost::intrusive::optimize_size<true>>;
using expiry_hook =
    boost::intrusive::set_base_hook<boost::intrusive::tag<struct expiry_tag>,
                                    boost::intrusive::link_mode<boost::intrusive::safe_link>,
                                    boost::intrusive::optimize_size<true>>;

struct task : list_hook, tree_hook, expiry_hook {
    /// When the answer is of no use any more.
    time_point deadline = never;
    /// How long the function may run.
    duration run_timeout = no_limit;
    /// Between the stop request and the kill of a worker that goes on all the same.
    duration grace{};
    /// Greater goes first: a task is treated as if it had been submitted `ageing` earlier for each
    /// unit.
    int priority = 0;
    /// How often it may be run again after its worker died of it.
    unsigned retries = 0;
    /// Workers that died while they ran it, and did not cost it its end.
    unsigned deaths = 0;
    /// Workers that died when they were about to begin it.
    unsigned deaths_before = 0;
    /// It is taken for the cause of these, and ends.
    bool accused = false;
    /// Its place in the queue, the smaller first: when it was submitted, less its priority's worth.
    time_point rank = never;
    /// Among tasks of one rank: the smaller first.
    std::uint64_t order = 0;
    /// When the pool must look at this task again: the nearer of deadline and end of its run.
    time_point expiry = never;
    /// If it timed out: the end of its run was nearer than its deadline.
    bool overran = false;
    /// Bytes that it puts into a worker's pipe.
    std::size_t frame_bytes = 0;
    /// While staged: the task's number on its worker's connection.
    std::uint64_t sequence = 0;
    /// While staged, and once done if it was then: which worker.
    std::uint32_t worker = no_worker;
    /// Its caller does not want what of it has not begun.
    bool cancelled = false;
    task_state state = task_state::created;

    bool goes_before(const task& other) const {
        return rank != other.rank ? rank < other.rank : order < other.order;
    }
};

} // namespace coproc::pool
