#pragma once

#include <span>

namespace coproc::process {

/// What a forked process keeps of the descriptors that it has inherited.
struct kept_descriptors {
    std::span<const int> given; ///< become 3, 4, ..., close-on-exec
    int output = -1;            ///< becomes standard output; -1: that stays
    int error = -1;             ///< becomes standard error; -1: that stays
};

/// Closes all others; standard input is /dev/null, and so is an output that there is none of. Null,
/// or the step that failed, with errno.
[[nodiscard]] const char* keep_only(const kept_descriptors&) noexcept;

} // namespace coproc::process
