#pragma once

/// Throws a `twin` that is not the caller's.
[[noreturn]] void throw_other_twin();
