#pragma once

// What the programs here submit to: only the overload set of coproc::executor.

#include <coproc/detail/refusals.hpp>
#include <coproc/submit.hpp>

#include <cstdlib>

namespace coproc {

struct task_options {
    int priority = 0;
};

class executor : detail::refusals {
public:
    using refusals::submit;

    template <class F, class... Args>
    requires submittable<F, Args...> task_result_t<F, Args...> submit(F&&, Args&&...) {
        std::abort();
    }
    template <class F, class... Args>
    requires submittable<F, Args...> task_result_t<F, Args...> submit(task_options, F&&,
                                                                      Args&&...) {
        std::abort();
    }
};

} // namespace coproc
