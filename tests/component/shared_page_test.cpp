#include "memory/shared_page.hpp"

#include "support/catch.hpp"

#include "wire/messages.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace coproc::memory;

namespace {

shared_page taken(std::variant<page_error, shared_page> made) {
    if (const auto* error = std::get_if<page_error>(&made)) {
        FAIL(error->step << ": " << std::strerror(error->error));
    }
    return std::get<shared_page>(std::move(made));
}

/// A memfd of some size, closed at the end.
struct scratch_memory {
    explicit scratch_memory(std::size_t size)
        : descriptor(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
        REQUIRE(descriptor >= 0);
        REQUIRE(::ftruncate(descriptor, static_cast<off_t>(size)) == 0);
    }
    ~scratch_memory() { ::close(descriptor); }

    int descriptor;
};

std::size_t pages_of_file(int descriptor) {
    struct stat status {};
    REQUIRE(::fstat(descriptor, &status) == 0);
    return static_cast<std::size_t>(status.st_blocks) * 512 /
           static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<page_error> attach_error(int descriptor) {
    const auto made = shared_page::attach(descriptor);
    const auto* error = std::get_if<page_error>(&made);
    return error == nullptr ? std::nullopt : std::optional(*error);
}

} // namespace

TEST_CASE("shared_page: both sides see the same memory") {
    const shared_page parent = taken(shared_page::create());
    const shared_page worker = taken(shared_page::attach(parent.descriptor()));
    CHECK(&parent.layout() != &worker.layout());
    CHECK(worker.descriptor() == -1);
    parent.slots().offer(4);
    CHECK(worker.slots().claim(4));
    CHECK(!parent.slots().recall(4));

    CHECK(!worker.stop_requested(0));
    CHECK(!worker.stop_requested(4));
    parent.request_stop(4);
    CHECK(worker.stop_requested(4));
    CHECK(!worker.stop_requested(5));

    reply_ring_writer writer(worker.layout().ring, worker.ring_memory());
    reply_ring_reader reader(parent.layout().ring, parent.ring_memory());
    CHECK(reader.arm());
    alignas(16) std::byte head[coproc::wire::max_head_bytes];
    const std::size_t size =
        coproc::wire::encode(coproc::wire::reply_header{.sequence = 4}, 0, head);
    CHECK(writer.append(std::span<const std::byte>(head).first(size), {}) ==
          append_result::ring_bell);
    CHECK(reader.next().kind == coproc::wire::frame_kind::complete);
}

TEST_CASE("shared_page: nobody can change its size or seal it further") {
    const shared_page page = taken(shared_page::create());
    const auto size = static_cast<off_t>(sizeof(page_layout));
    CHECK(::ftruncate(page.descriptor(), 0) == -1);
    CHECK(errno == EPERM);
    CHECK(::ftruncate(page.descriptor(), 2 * size) == -1);
    CHECK(::fcntl(page.descriptor(), F_ADD_SEALS, F_SEAL_WRITE) == -1);
    struct stat status {};
    REQUIRE(::fstat(page.descriptor(), &status) == 0);
    CHECK(status.st_size == size);
}

TEST_CASE("shared_page: a hole punched by the other side reads as zeros") {
    const shared_page page = taken(shared_page::create());
    page.slots().offer(1);
    REQUIRE(::fallocate(page.descriptor(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                        sizeof(page_layout)) == 0);
    CHECK(page.slots().fate(1) == task_fate::may_have_run);
}

TEST_CASE("shared_page: its descriptor is not inherited by accident") {
    shared_page page = taken(shared_page::create());
    const int descriptor = page.descriptor();
    CHECK(::fcntl(descriptor, F_GETFD) == FD_CLOEXEC);
    page.close_descriptor();
    CHECK(page.descriptor() == -1);
    CHECK(::fcntl(descriptor, F_GETFD) == -1);
    page.slots().offer(1); // the mapping is still there
    CHECK(page.slots().recall(1));
}

TEST_CASE("shared_page: a new page costs one page of memory") {
    const shared_page page = taken(shared_page::create());
    CHECK(pages_of_file(page.descriptor()) == 1);
    const shared_page worker = taken(shared_page::attach(page.descriptor()));
    for (std::uint64_t sequence = 0; sequence < 8; ++sequence) {
        page.slots().offer(sequence);
        CHECK(worker.slots().claim(sequence));
    }
    CHECK(!worker.stop_requested(1));
    reply_ring_reader reader(page.layout().ring, page.ring_memory());
    CHECK(reader.next().kind == coproc::wire::frame_kind::need_more);
    CHECK(reader.arm());
    CHECK(pages_of_file(page.descriptor()) == 1);
}

TEST_CASE("shared_page: moving hands over mapping and descriptor") {
    shared_page first = taken(shared_page::create());
    const int descriptor = first.descriptor();
    shared_page second(std::move(first));
    CHECK(second.descriptor() == descriptor);
    shared_page third = taken(shared_page::create());
    const int replaced = third.descriptor();
    third = std::move(second);
    CHECK(third.descriptor() == descriptor);
    CHECK(::fcntl(replaced, F_GETFD) == -1);
    third.slots().offer(0);
    CHECK(third.slots().recall(0));
}

TEST_CASE("shared_page: what is no shared page is refused") {
    CHECK(attach_error(-1)->error == EBADF);
    const scratch_memory small(4096);
    CHECK(std::string(attach_error(small.descriptor)->step) == "size");
    const scratch_memory unsealed(sizeof(page_layout));
    CHECK(std::string(attach_error(unsealed.descriptor)->step) == "seals");
    const scratch_memory blank(sizeof(page_layout));
    REQUIRE(::fcntl(blank.descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    CHECK(std::string(attach_error(blank.descriptor)->step) == "version");
}

TEST_CASE("shared_page: a limit on file sizes is an error and no signal") {
    // In a process of its own: the hard limit cannot be raised again, and SIGXFSZ would end it.
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const rlimit limit{.rlim_cur = 4096, .rlim_max = 4096};
        if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) {
            ::_exit(2);
        }
        const auto made = shared_page::create();
        const auto* error = std::get_if<page_error>(&made);
        ::_exit(error != nullptr && error->error == EFBIG ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("shared_page: two processes share it") {
    const shared_page page = taken(shared_page::create());
    page.slots().offer(1);
    page.slots().offer(2);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const auto made = shared_page::attach(page.descriptor());
        const auto* worker = std::get_if<shared_page>(&made);
        if (worker == nullptr || !worker->slots().claim(1)) {
            ::_exit(1);
        }
        worker->slots().finish(1);
        ::raise(SIGKILL);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    CHECK(page.slots().fate(1) == task_fate::ran);
    CHECK(page.slots().fate(2) == task_fate::never_began);
}
