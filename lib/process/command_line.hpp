#pragma once

#include <span>
#include <string>
#include <vector>

// What a new process is given besides descriptors: arguments and environment. Pure.
namespace coproc::process {

/// The environment `current` (null-terminated, may be null) with `changes` ("NAME=value") applied.
/// A changed variable keeps its place, a new one is appended; of several changes to one name the
/// last counts.
[[nodiscard]] std::vector<std::string> merge_environment(const char* const* current,
                                                         std::span<const std::string> changes);

/// Pointers to `strings` with a null pointer at the end, as exec takes them; valid as long as
/// `strings` is not changed.
[[nodiscard]] std::vector<char*> exec_pointers(std::vector<std::string>& strings);

} // namespace coproc::process
