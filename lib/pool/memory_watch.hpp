#pragma once

#include "pool/growth_ledger.hpp"
#include "pool/task.hpp"

#include <cstdint>
#include <optional>

// Whether a worker leaks, decided from measures of its private memory.
namespace coproc::pool {

inline constexpr std::uint64_t no_memory_limit = static_cast<std::uint64_t>(-1);

struct memory_limits {
    /// Between two measures of one worker, at most.
    duration period = std::chrono::seconds(1);
    /// More between tasks than after the first task.
    std::uint64_t max_growth = no_memory_limit;
    /// Between tasks.
    std::uint64_t absolute = no_memory_limit;
    /// At any time.
    std::uint64_t hard = no_memory_limit;

    /// Whether there is anything to look for.
    bool any() const {
        return max_growth != no_memory_limit || absolute != no_memory_limit ||
               hard != no_memory_limit;
    }
};

/**
 * @brief One worker's memory, watched.
 *
 * A measure of somebody else's may be taken in the midst of a task that will free it all. So what
 * counts is what the worker says: it is asked to measure itself when it has no task, first after
 * its first task, which gives the reference, and then whenever somebody else's measure exceeds the
 * limit; then it cleans up before.
 */
class memory_watch {
public:
    enum class state : std::uint8_t {
        fresh,    ///< it has not answered a task
        watching, ///< it is measured every period
        cleaning, ///< it was asked to clean up and to measure itself, and has not answered
        leaking,  ///< it has too much with no task running, after it has cleaned up
    };

    enum class advice : std::uint8_t {
        nothing,
        clean_up, ///< ask it to have no more than limit() between tasks; answer: `cleaned`
        retire,   ///< replace it
        kill,     ///< it has more than any worker may have
    };

    /// A period has so many looks at a worker that is new, and at most so many.
    static constexpr int first_looks = 16;
    static constexpr int most_looks = 64;

    explicit memory_watch(const memory_limits& limits)
        : limits_(limits), interval_(limits.period / first_looks) {}

    // ---- what happens

    /// It has answered a task of this function.
    void ended(const function_key& function) noexcept { functions_.ended(function); }
    /// Somebody has measured it, whatever it was doing.
    advice measured(std::uint64_t bytes, time_point now);
    /// Nobody could.
    void not_measured(time_point now) { next_ = after(now, limits_.period); }
    /// It has cleaned up and measured itself; 0: it could not, and the last measure counts.
    advice cleaned(std::uint64_t bytes);
    /// It leaks, and is not to be replaced: whoever let it go for another reason keeps it.
    void kept();

    // ---- what is known

    state now() const { return state_; }
    /// A task has ended, and the last measure is old enough.
    bool is_due(time_point now) const { return now >= next_ && functions_.has_recent(); }
    /// What it may have between tasks.
    std::uint64_t limit() const;
    std::uint64_t reference() const { return reference_.value_or(0); }
    /// The measure that made it suspect.
    std::uint64_t suspect() const { return suspect_; }
    /// What it had when it had cleaned up.
    std::uint64_t after_cleaning() const { return after_; }
    const growth_ledger& functions() const { return functions_; }

private:
    duration until_next_look(std::uint64_t bytes, time_point now);

    memory_limits limits_;
    state state_ = state::fresh;
    std::optional<std::uint64_t> reference_;
    std::uint64_t last_ = 0; // the measure up to which growth is shared out
    std::uint64_t suspect_ = 0;
    std::uint64_t after_ = 0;
    time_point last_look_ = time_point::min(); // of the first, and all since
    duration interval_;
    time_point next_ = time_point::min();
    growth_ledger functions_;
};

} // namespace coproc::pool
