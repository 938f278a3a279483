#pragma once

#include "support/processes.hpp"

#include <coproc/options.hpp>

#include <vector>

namespace test {

/// The processes of the workers of the one executor that there is. A zygote is started before any
/// worker, and is none.
inline std::vector<pid_t> workers() {
    std::vector<pid_t> found = children();
    if (coproc::default_start_method() == coproc::start_method::forkserver && !found.empty()) {
        found.erase(found.begin());
    }
    return found;
}

} // namespace test
