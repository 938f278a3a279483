#pragma once

#include <cstdint>

namespace coproc {

/// What a wait for several jobs waits for (<coproc/wait.hpp>). Each is met, too, when all jobs are
/// done.
enum class wait_condition : std::uint8_t {
    first_completed, ///< one of the jobs is done, in whichever way
    first_exception, ///< one of the jobs has failed; one that was cancelled has not
    all_completed,   ///< all jobs are done
};

} // namespace coproc
