#pragma once

#include <string>
#include <string_view>

namespace coproc::process {

/// This program's own, as a path for spawn(): under valgrind the path of the program, because
/// /proc/self/exe is valgrind there; "/proc/self/exe" if that is this program by its build-id,
/// which stays right when the file is removed or replaced while we run; else the name under which
/// the kernel executed us.
[[nodiscard]] const std::string& own_executable();

/// What a worker executes: `explicit_path` (an option), else the environment variable
/// COPROC_EXECUTABLE, if not empty, else own_executable().
[[nodiscard]] std::string worker_executable(std::string_view explicit_path = {});

/// Gives this process the name that `ps` shows for the program: a worker executed as /proc/self/exe
/// would be called "exe".
void set_process_name(std::string_view argv0) noexcept;

} // namespace coproc::process
