#pragma once

/// The version of these headers, as 10000 * major + 100 * minor + patch.
#define COPROC_VERSION 100
