#pragma once

#include <vector>

// A library that judges series of numbers. It, too, does its work in processes.
namespace model {

/// How well the numbers fit, from 0 to 1.
double score(const std::vector<double>& values);

} // namespace model
