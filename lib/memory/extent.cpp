#include "memory/extent.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coproc::memory {
namespace {

#ifdef F_SEAL_FUTURE_WRITE
constexpr int no_more_writers = F_SEAL_FUTURE_WRITE;
#else
constexpr int no_more_writers = 0x0010; // Linux 5.1, newer than some C libraries
#endif

constexpr int seals = no_more_writers | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

std::byte* map(int descriptor, std::size_t bytes, int protection) noexcept {
    void* const memory = ::mmap(nullptr, bytes, protection, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED) {
        return nullptr;
    }
    leave_out_of_core_dumps(memory, bytes);
    return static_cast<std::byte*>(memory);
}

} // namespace

std::variant<page_error, extent> extent::create(std::size_t bytes) noexcept {
    page_error failed{};
    owned_descriptor memory(make_memory_file("coproc-arrays", bytes, failed));
    if (memory.get() < 0) {
        return failed;
    }
    std::byte* const mapped = map(memory.get(), bytes, PROT_READ | PROT_WRITE);
    if (mapped == nullptr) {
        return page_error{"mmap", errno};
    }
    extent made(mapped, bytes, -1);
    if (::fcntl(memory.get(), F_ADD_SEALS, seals) != 0) {
        return page_error{"F_ADD_SEALS", errno};
    }
    made.descriptor_ = memory.release();
    return made;
}

std::variant<page_error, extent> extent::attach(int descriptor, std::size_t bytes) noexcept {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
        return page_error{"fstat", errno};
    }
    if (bytes == 0 || std::cmp_not_equal(status.st_size, bytes)) {
        return page_error{"size", EPROTO};
    }
    const int found = ::fcntl(descriptor, F_GET_SEALS);
    if (found < 0 || (found & seals) != seals) {
        return page_error{"seals", EPROTO};
    }
    std::byte* const mapped = map(descriptor, bytes, PROT_READ);
    if (mapped == nullptr) {
        return page_error{"mmap", errno};
    }
    return extent(mapped, bytes, -1);
}

std::uint64_t extent::inode_of(int descriptor) noexcept {
    struct stat status {};
    return ::fstat(descriptor, &status) == 0 ? status.st_ino : 0;
}

extent::extent(extent&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

extent::~extent() {
    if (memory_ != nullptr) {
        ::munmap(memory_, size_);
    }
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

} // namespace coproc::memory
