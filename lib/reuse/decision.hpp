#pragma once

#include "coproc/options.hpp"
#include "coproc/reuse_options.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

// What becomes of a reusable executor when it is asked for.
namespace coproc::reuse {

/// What there is under a name.
enum class state : std::uint8_t {
    none,    ///< nothing yet
    serving, ///< an executor that takes tasks
    broken,  ///< none of its workers could ever be started
    ended,   ///< it is shutting down, or was shut down or stopped
};

/// The executor that is there; with state::none the rest means nothing.
struct present {
    state is = state::none;
    const executor_options* options = nullptr; ///< with_defaults, as it was made
    std::size_t max_workers = 0;               ///< now: it may have been resized
};

enum class step : std::uint8_t {
    keep,    ///< give what is there
    resize,  ///< to `max_workers`, and give it
    replace, ///< make one, and let go of what is there
};

/// Whose options a new executor has.
enum class source : std::uint8_t {
    wanted,  ///< the call's
    present, ///< those of the one that it replaces
};

struct decision {
    step next = step::keep;
    source options = source::wanted;          ///< of `replace`
    std::optional<std::size_t> max_workers{}; ///< of `resize` and `replace`; unset: the default
    bool kill = false;                        ///< end what is replaced at once

    friend bool operator==(const decision&, const decision&) = default;
};

/// `wanted` is with_defaults.
[[nodiscard]] decision decide(const present&, const executor_options& wanted, const reuse_options&);

} // namespace coproc::reuse
