#include "process/threads.hpp"

#include <sys/stat.h>

namespace coproc::process {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr std::size_t of_sanitizer = 1;
#else
constexpr std::size_t of_sanitizer = 0;
#endif

} // namespace

std::size_t count_threads() noexcept {
    // The links of a directory are itself, its name, and one for each directory in it.
    struct stat threads {};
    if (::stat("/proc/self/task", &threads) != 0 || threads.st_nlink < 2) {
        return 0;
    }
    const std::size_t all = threads.st_nlink - 2;
    return all > of_sanitizer ? all - of_sanitizer : all;
}

} // namespace coproc::process
