#include "memory/extent.hpp"

#include "support/catch.hpp"

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <variant>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// Memory that the parent writes to and workers read: the kernel sees to it.

using namespace coproc::memory;

namespace {

constexpr std::size_t mebibyte = 1024 * 1024;

extent taken(std::variant<page_error, extent> made) {
    if (const auto* error = std::get_if<page_error>(&made)) {
        FAIL(error->step << ": " << std::strerror(error->error));
    }
    return std::get<extent>(std::move(made));
}

std::optional<page_error> why_not(int descriptor, std::size_t bytes) {
    const auto made = extent::attach(descriptor, bytes);
    const auto* const error = std::get_if<page_error>(&made);
    return error == nullptr ? std::nullopt : std::optional(*error);
}

/// errno of a mapping that can be written to; 0: there was one.
int map_for_writing(int descriptor) {
    void* const mapped =
        ::mmap(nullptr, mebibyte, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    const int error = mapped == MAP_FAILED ? errno : 0;
    if (error == 0) {
        ::munmap(mapped, mebibyte);
    }
    return error;
}

} // namespace

TEST_CASE("extent: what its maker writes is seen by who attaches to it") {
    const extent parent = taken(extent::create(mebibyte));
    REQUIRE(parent.bytes().size() == mebibyte);
    parent.writable()[0] = std::byte{1};
    const extent worker = taken(extent::attach(parent.descriptor(), mebibyte));
    CHECK(worker.descriptor() == -1);
    CHECK(worker.bytes().data() != parent.bytes().data());
    CHECK(worker.bytes()[0] == std::byte{1});
    parent.writable()[mebibyte - 1] = std::byte{2};
    CHECK(worker.bytes()[mebibyte - 1] == std::byte{2});
}

TEST_CASE("extent: nobody who has its descriptor can write to it") {
    const extent parent = taken(extent::create(mebibyte));
    CHECK((::fcntl(parent.descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(map_for_writing(parent.descriptor()) == EPERM);

    // Not even when the file is opened again: its mode allows that.
    const std::string path = "/proc/self/fd/" + std::to_string(parent.descriptor());
    const int again = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(again >= 0);
    CHECK(map_for_writing(again) == EPERM);
    CHECK(::pwrite(again, "x", 1, 0) == -1);
    CHECK(errno == EPERM);
    CHECK(::ftruncate(again, 0) == -1);
    CHECK(errno == EPERM);
    CHECK(::ftruncate(again, 2 * mebibyte) == -1);
    CHECK(errno == EPERM);
    CHECK(::fallocate(again, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == -1);
    CHECK(errno == EPERM);
    ::close(again);

    const extent worker = taken(extent::attach(parent.descriptor(), mebibyte));
    void* const first = const_cast<std::byte*>(worker.bytes().data());
    CHECK(::mprotect(first, mebibyte, PROT_READ | PROT_WRITE) == -1);
    CHECK(errno == EACCES);
}

TEST_CASE("extent: what is not sealed, or of another size, is not attached to") {
    const extent parent = taken(extent::create(mebibyte));
    CHECK(std::string(why_not(parent.descriptor(), 2 * mebibyte)->step) == "size");
    CHECK(std::string(why_not(parent.descriptor(), 0)->step) == "size");
    CHECK(std::string(why_not(-1, mebibyte)->step) == "fstat");
    const int plain = ::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    REQUIRE(::ftruncate(plain, mebibyte) == 0);
    CHECK(std::string(why_not(plain, mebibyte)->step) == "seals");
    CHECK(extent::inode_of(plain) != extent::inode_of(parent.descriptor()));
    ::close(plain);
}

TEST_CASE("extent: a limit on file sizes is an error and no signal") {
    // In a process of its own: SIGXFSZ would end it.
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const rlimit limit{.rlim_cur = 4096, .rlim_max = 4096};
        if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) {
            ::_exit(2);
        }
        const auto made = extent::create(mebibyte);
        const auto* const error = std::get_if<page_error>(&made);
        ::_exit(error != nullptr && error->error == EFBIG ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}
