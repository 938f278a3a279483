#pragma once

#include <cstdint>
#include <string_view>

#include <coproc/detail/config.hpp>

namespace coproc {

/// Why an executor lets a worker go that does not have to end.
enum class retire_reason : std::uint8_t {
    none,    ///< it stays
    resized, ///< executor::resize made the executor smaller
    idle,    ///< it had no task for executor_options::idle_timeout
    tasks,   ///< it has had executor_options::max_tasks_per_worker tasks
    age,     ///< it is as old as executor_options::max_worker_age
    memory,  ///< it had too much memory between tasks (executor_options::leak)
    asked,   ///< one of its tasks asked for it
};

/// The enumerator's name; empty if the value has none.
[[nodiscard]] COPROC_API std::string_view to_string(retire_reason why) noexcept;

} // namespace coproc
