#include "process/cpus.hpp"

#include <cerrno>
#include <memory>
#include <sched.h>
#include <unistd.h>

namespace coproc::process {

std::size_t available_cpus() noexcept {
    // EINVAL means that the kernel's mask is longer than ours.
    for (std::size_t count = 1024; count <= 1024 * 1024; count *= 2) {
        const auto release = [](cpu_set_t* set) { CPU_FREE(set); };
        const std::unique_ptr<cpu_set_t, decltype(release)> set(CPU_ALLOC(count));
        if (set == nullptr) {
            break;
        }
        const std::size_t size_bytes = CPU_ALLOC_SIZE(count);
        if (::sched_getaffinity(0, size_bytes, set.get()) == 0) {
            const int allowed = CPU_COUNT_S(size_bytes, set.get());
            return allowed > 0 ? static_cast<std::size_t>(allowed) : 1;
        }
        if (errno != EINVAL) {
            break;
        }
    }
    const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? static_cast<std::size_t>(online) : 1;
}

} // namespace coproc::process
