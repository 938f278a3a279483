#pragma once

#include <cstddef>
#include <cstring>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

// Memory that is there: touched, and given back to the system at the end.
namespace coproc::test {

class mapped_memory {
public:
    mapped_memory(std::size_t bytes, int flags, int descriptor)
        : bytes_(bytes),
          first_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, descriptor, 0)) {
        if (first_ != MAP_FAILED) {
            touch();
        }
    }
    mapped_memory(const mapped_memory&) = delete;
    mapped_memory& operator=(const mapped_memory&) = delete;
    ~mapped_memory() {
        if (first_ != MAP_FAILED) {
            ::munmap(first_, bytes_);
        }
    }

    bool is_there() const { return first_ != MAP_FAILED; }

private:
    // By the kernel, since ThreadSanitizer takes memory of its own for what is written here.
    void touch() {
#ifdef MADV_POPULATE_WRITE
        if (::madvise(first_, bytes_, MADV_POPULATE_WRITE) == 0) {
            return;
        }
#endif
        std::memset(first_, 1, bytes_);
    }

    std::size_t bytes_;
    void* first_;
};

/// The process's own.
class anonymous_memory : public mapped_memory {
public:
    explicit anonymous_memory(std::size_t bytes)
        : mapped_memory(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1) {}
};

/// Shared with nobody yet, as an arena is.
class shared_memory {
public:
    explicit shared_memory(std::size_t bytes)
        : descriptor_(make(bytes)), memory_(bytes, MAP_SHARED, descriptor_) {}
    shared_memory(const shared_memory&) = delete;
    shared_memory& operator=(const shared_memory&) = delete;
    ~shared_memory() { ::close(descriptor_); }

    bool is_there() const { return memory_.is_there(); }

private:
    static int make(std::size_t bytes) {
        const int made = ::memfd_create("coproc-test", MFD_CLOEXEC);
        return made >= 0 && ::ftruncate(made, static_cast<off_t>(bytes)) == 0 ? made : -1;
    }

    int descriptor_;
    mapped_memory memory_;
};

} // namespace coproc::test
