#pragma once

/// Marks what the shared library gives to its users; everything else in it is hidden.
#define COPROC_API __attribute__((visibility("default")))

/// Marks functions whose address is sent to workers. Hidden, so that each module has its own copy:
/// with default visibility a library's instantiation would resolve to the executable's.
#define COPROC_LOCAL __attribute__((visibility("hidden")))
