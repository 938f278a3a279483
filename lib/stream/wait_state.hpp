#pragma once

#include "coproc/wait_condition.hpp"

#include <cstddef>

// When a wait for several jobs is over. Not thread-safe.
namespace coproc::streams {

enum class job_outcome { value, failed, cancelled };

class wait_state {
public:
    wait_state(wait_condition condition, std::size_t jobs);

    // Each event says whether the wait is over now and was not before: true at most once.

    /// One more of the jobs is done.
    [[nodiscard]] bool done(job_outcome how);
    /// The time is over, or nobody waits any more.
    [[nodiscard]] bool given_up();

    bool over() const { return over_; }
    /// Whether it is over because the condition holds.
    bool met() const { return met_; }

private:
    bool ends_it(job_outcome how) const;

    const wait_condition condition_;
    std::size_t left_;
    bool over_;
    bool met_;
};

} // namespace coproc::streams
