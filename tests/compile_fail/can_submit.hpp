#pragma once

#include <coproc/executor.hpp>

#include <utility>

/// A submit that does not compile must be a soft failure in templates, with and without options.
template <class... Args>
concept can_submit = requires(coproc::executor& executor, Args&&... args) {
    executor.submit(std::forward<Args>(args)...);
}
&&requires(coproc::executor& executor, Args&&... args) {
    executor.submit({.name = "task"}, std::forward<Args>(args)...);
};
template <class... Args>
concept cannot_submit = !requires(coproc::executor & executor, Args&&... args) {
    executor.submit(std::forward<Args>(args)...);
}
&&!requires(coproc::executor & executor, Args&&... args) {
    executor.submit({.name = "task"}, std::forward<Args>(args)...);
};
