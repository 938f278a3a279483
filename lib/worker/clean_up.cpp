#include "worker/clean_up.hpp"

#include "process/memory_use.hpp"
#include "worker/worker_scope.hpp"

#include <limits>
#include <string>

#include <malloc.h>

namespace coproc::worker {
namespace {

/// What malloc keeps although it was freed.
void trim() noexcept {
#if defined(__GLIBC__)
    ::malloc_trim(0);
#endif
}

} // namespace

std::uint64_t clean_up(worker_scope& scope, std::uint64_t limit) noexcept {
    const std::string self = "/proc/self";
    const auto has_too_much = [&] {
        // Who cannot be measured may have too much.
        return process::private_memory(self).value_or(std::numeric_limits<std::uint64_t>::max()) >
               limit;
    };
    if (has_too_much()) {
        trim();
    }
    if (has_too_much()) {
        scope.clean_up();
        trim();
        return process::exact_private_memory(self).value_or(0);
    }
    return process::private_memory(self).value_or(0);
}

} // namespace coproc::worker
