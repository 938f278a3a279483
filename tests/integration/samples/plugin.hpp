#pragma once

#include <coproc/coproc.hpp>

#include <optional>

// What the tests look up in the library.
extern "C" {

/// The answer of this build.
using answer_function = int(int n);
/// Submits a lambda of the library's.
using submit_function = void(coproc::executor& executor, int n,
                             std::optional<coproc::job<int>>& job);
}
