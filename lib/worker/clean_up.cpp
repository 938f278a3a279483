#include "worker/clean_up.hpp"

#include "process/memory_use.hpp"
#include "worker/worker_scope.hpp"

#include <optional>
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
    const auto enough = [limit](std::optional<std::uint64_t> bytes) {
        return bytes && *bytes <= limit;
    };
    std::optional<std::uint64_t> bytes = process::private_memory(self);
    if (!enough(bytes)) {
        trim();
        bytes = process::private_memory(self);
    }
    if (!enough(bytes)) {
        scope.clean_up();
        trim();
        bytes = process::exact_private_memory(self);
    }
    return bytes.value_or(0);
}

} // namespace coproc::worker
