#include "worker/extent_views.hpp"

#include "memory/arena.hpp"
#include "support/catch.hpp"
#include "support/matchers.hpp"
#include "support/processes.hpp"
#include "worker/connection.hpp"

#include <coproc/codec.hpp>

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>

// How a worker gets at the memory of arrays: descriptors that come beside frames.

namespace {

using namespace coproc;
using detail::array_reference;
using detail::referred_memory;
using process::unique_fd;
using worker::extent_views;

memory::extent made(std::size_t bytes) {
    return std::get<memory::extent>(memory::extent::create(bytes));
}

wire::extent_header header_of(std::uint64_t number, const memory::extent& extent) {
    return {.number = number,
            .bytes = extent.bytes().size(),
            .inode = memory::extent::inode_of(extent.descriptor())};
}

unique_fd copy_of(const memory::extent& extent) {
    return unique_fd(::fcntl(extent.descriptor(), F_DUPFD_CLOEXEC, 0));
}

/// Bytes with descriptors beside the first of them.
void send(int socket, std::size_t bytes, std::vector<int> descriptors) {
    const std::vector<std::byte> data(bytes);
    iovec piece{const_cast<std::byte*>(data.data()), data.size()};
    alignas(cmsghdr) std::array<std::byte, 256> control{};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        const std::size_t size = descriptors.size() * sizeof(int);
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(size);
        cmsghdr* const part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(size);
        std::memcpy(CMSG_DATA(part), descriptors.data(), size);
    }
    REQUIRE(::sendmsg(socket, &message, 0) == static_cast<ssize_t>(bytes));
}

} // namespace

TEST_CASE("connection: descriptors arrive in order, close-on-exec, and are closed with it") {
    const std::size_t before = test::open_descriptors();
    {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        const unique_fd parent(ends[0]);
        const unique_fd child(ends[1]);
        auto page = std::make_unique<memory::page_layout>();
        worker::connection connection(child.get(), *page, page->ring_memory);
        const memory::extent first = made(4096);
        const memory::extent second = made(8192);
        send(parent.get(), 32, {});
        send(parent.get(), 32, {first.descriptor()});
        send(parent.get(), 32, {});
        send(parent.get(), 32, {second.descriptor()});
        std::array<std::byte, 1024> into;
        for (std::size_t got = 0; got < 128;) {
            got += connection.read(into);
        }
        REQUIRE(connection.arrived().size() == 2);
        CHECK(memory::extent::inode_of(connection.arrived()[0].get()) ==
              memory::extent::inode_of(first.descriptor()));
        CHECK(memory::extent::inode_of(connection.arrived()[1].get()) ==
              memory::extent::inode_of(second.descriptor()));
        CHECK((::fcntl(connection.arrived()[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
    }
    CHECK(test::open_descriptors() == before);
}

TEST_CASE("extent views: an extent is mapped once, and its descriptor closed") {
    const memory::extent extent = made(4096);
    extent.writable()[5] = std::byte{5};
    std::vector<unique_fd> arrived;
    arrived.push_back(copy_of(extent));
    const std::size_t before = test::open_descriptors();
    extent_views views;
    views.learn(header_of(3, extent), arrived);
    CHECK(arrived.empty());
    CHECK(test::open_descriptors() == before - 1);
    const referred_memory found = views.find({.extent = 3});
    REQUIRE(found.memory != nullptr);
    CHECK(found.begin == 0);
    CHECK(found.bytes.size() == 4096);
    CHECK(found.bytes[5] == std::byte{5});

    encoder out;
    CHECK_THROWS_AS(found.memory->pack(out, found.bytes), encode_error);

    views.forget(3);
    CHECK(found.bytes[5] == std::byte{5}); // who has it keeps it
    CHECK(views.find({.extent = 3}).memory == nullptr);
    views.forget(3); // once more does no harm
}

TEST_CASE("extent views: what is not there is said") {
    using test::contains_text;
    extent_views views;
    CHECK_THAT(views.find({.extent = 1}).why_not, contains_text("was not told of its memory"));

    const memory::extent lost = made(4096);
    const memory::extent other = made(4096);
    std::vector<unique_fd> arrived;
    views.learn(header_of(1, lost), arrived);
    CHECK(views.find({.extent = 1}).memory == nullptr);
    CHECK_THAT(views.find({.extent = 1}).why_not, contains_text("its descriptor was lost"));

    // That of another frame is left for that.
    arrived.push_back(copy_of(other));
    views.learn(header_of(2, lost), arrived);
    CHECK(views.find({.extent = 2}).memory == nullptr);
    views.learn(header_of(4, other), arrived);
    CHECK(views.find({.extent = 4}).memory != nullptr);

    arrived.push_back(copy_of(other));
    wire::extent_header wrong = header_of(5, other);
    wrong.bytes = 8192;
    views.learn(wrong, arrived);
    CHECK_THAT(views.find({.extent = 5}).why_not, contains_text("cannot be mapped: size"));
}
