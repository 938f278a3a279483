#pragma once

#include <cstddef>

// Files that exist in memory only, to be shared with other processes.
namespace coproc::memory {

/// A system call that failed, or a check.
struct page_error {
    const char* step; ///< what was tried
    int error;        ///< errno
};

/// Closes on error.
class owned_descriptor {
public:
    explicit owned_descriptor(int descriptor) noexcept : descriptor_(descriptor) {}
    owned_descriptor(const owned_descriptor&) = delete;
    owned_descriptor& operator=(const owned_descriptor&) = delete;
    ~owned_descriptor();

    int get() const noexcept { return descriptor_; }
    int release() noexcept;

private:
    int descriptor_;
};

/// A new file of zeros, close-on-exec, that can be sealed; at most of the size that RLIMIT_FSIZE
/// allows: there ftruncate would raise SIGXFSZ, which ends a host that does not ignore it. On error
/// the descriptor is -1, and `failed` says why.
int make_memory_file(const char* name, std::size_t bytes, page_error& failed) noexcept;

/// Of no use in a core dump; a kernel that refuses does no harm.
void leave_out_of_core_dumps(void* memory, std::size_t bytes) noexcept;

} // namespace coproc::memory
