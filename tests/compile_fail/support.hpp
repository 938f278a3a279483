#pragma once

#include "executor.hpp"

#include <utility>

/// A submit that does not compile must be a soft failure in templates.
template <class... Args>
concept can_submit = requires(coproc::executor& executor, Args&&... args) {
    executor.submit(std::forward<Args>(args)...);
    executor.submit({.priority = 1}, std::forward<Args>(args)...);
};
