#pragma once

#include "memory/memory_file.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

namespace coproc::memory {

/**
 * @brief A mapping of one piece of the memory that arrays lie in, and in the parent the memfd
 * behind it.
 *
 * The parent maps it first and seals it then: nobody can change its size or map it for writing any
 * more, however the file is opened. A read-only descriptor would not do, because the file can be
 * opened again through /proc.
 *
 * @par Thread safety
 * Distinct objects: safe. Shared objects: unsafe, but for const functions.
 */
class extent {
public:
    /// Parent: new memory of zeros. Fails with EFBIG, and without SIGXFSZ, where RLIMIT_FSIZE
    /// forbids it.
    [[nodiscard]] static std::variant<page_error, extent> create(std::size_t bytes) noexcept;

    /// Worker: maps what is behind a descriptor, which stays the caller's and may be closed
    /// afterwards, for reading. Fails with EPROTO where that is not sealed, or of another size.
    [[nodiscard]] static std::variant<page_error, extent> attach(int descriptor,
                                                                 std::size_t bytes) noexcept;

    /// Tells one memfd from another; 0: that cannot be found out.
    [[nodiscard]] static std::uint64_t inode_of(int descriptor) noexcept;

    extent(extent&& other) noexcept;
    extent& operator=(extent&&) = delete;
    ~extent();

    std::span<const std::byte> bytes() const noexcept { return {memory_, size_}; }
    /// Parent only.
    std::byte* writable() const noexcept { return memory_; }
    /// Close-on-exec; -1 in a worker.
    int descriptor() const noexcept { return descriptor_; }

private:
    extent(std::byte* memory, std::size_t size, int descriptor) noexcept
        : memory_(memory), size_(size), descriptor_(descriptor) {}

    std::byte* memory_;
    std::size_t size_;
    int descriptor_;
};

} // namespace coproc::memory
