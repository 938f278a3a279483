#pragma once

#include <coproc/coproc.hpp>

#include <vector>

// Two files with the same names inside.
namespace twins {

std::vector<coproc::job<int>> submit_first(coproc::executor& executor, int n);
std::vector<coproc::job<int>> submit_second(coproc::executor& executor, int n);

} // namespace twins
