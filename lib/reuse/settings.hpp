#pragma once

#include "coproc/options.hpp"

// What makes the options of two reusable executors the same.
namespace coproc::reuse {

/// What is not given as a reusable executor has it; idle workers are always watched.
[[nodiscard]] executor_options with_defaults(executor_options given);

/// Whether an executor made with the one serves who asks for the other: all fields are equal but
/// max_workers, which can be changed. With an observer, which cannot be compared, it serves nobody
/// else.
[[nodiscard]] bool same_settings(const executor_options& one, const executor_options& other);

} // namespace coproc::reuse
