#include "memory/memory_file.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

namespace coproc::memory {
namespace {

#ifdef MFD_NOEXEC_SEAL
constexpr unsigned no_exec_seal = MFD_NOEXEC_SEAL;
#else
constexpr unsigned no_exec_seal = 0x0008U; // Linux 6.3, newer than some C libraries
#endif

/// Newer kernels want to be told that nobody will execute it; older ones do not know the flag.
int make_empty(const char* name) noexcept {
    constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    const int descriptor = ::memfd_create(name, flags | no_exec_seal);
    return descriptor >= 0 || errno != EINVAL ? descriptor : ::memfd_create(name, flags);
}

bool size_allowed(std::size_t bytes) noexcept {
    rlimit limit{};
    return ::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
           limit.rlim_cur >= bytes;
}

} // namespace

owned_descriptor::~owned_descriptor() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

int owned_descriptor::release() noexcept { return std::exchange(descriptor_, -1); }

int make_memory_file(const char* name, std::size_t bytes, page_error& failed) noexcept {
    if (!size_allowed(bytes)) {
        failed = {"RLIMIT_FSIZE", EFBIG};
        return -1;
    }
    owned_descriptor memory(make_empty(name));
    if (memory.get() < 0) {
        failed = {"memfd_create", errno};
        return -1;
    }
    if (::ftruncate(memory.get(), static_cast<off_t>(bytes)) != 0) {
        failed = {"ftruncate", errno};
        return -1;
    }
    return memory.release();
}

void leave_out_of_core_dumps(void* memory, std::size_t bytes) noexcept {
    ::madvise(memory, bytes, MADV_DONTDUMP);
}

} // namespace coproc::memory
