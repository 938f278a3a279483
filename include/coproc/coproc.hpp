#pragma once

/// Runs functions in a pool of worker processes. This header is what most programs need.
#include <coproc/executor.hpp>
#include <coproc/job.hpp>
#include <coproc/options.hpp>
#include <coproc/result.hpp>
#include <coproc/worker.hpp>
