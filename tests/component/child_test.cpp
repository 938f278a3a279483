#include "process/child.hpp"

#include "child_role.hpp"
#include "process/exiting.hpp"
#include "process/fork_guard.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace coproc;
using process::exit_status;
using test::child_role;

namespace {

const child_role wait_for_word("wait for a word", [](const test::arguments&) {
    test::write_text(3, "r");
    char byte = 0;
    return ::read(3, &byte, 1) == 1 ? 7 : 8;
});

// Two processes hold the socket; nobody reads from it.
const child_role have_a_child("have a child", [](const test::arguments& how) {
    if (::fork() == 0) {
        test::write_text(3, "c");
        for (;;) {
            ::pause();
        }
    }
    if (how.at(0) == "and exit") {
        return 0;
    }
    test::write_text(3, "p");
    for (;;) {
        ::pause();
    }
});

struct conversation {
    process::unique_fd socket;
    process::child process;
};

conversation converse(const std::string& role, test::arguments given = {}) {
    auto [ours, theirs] = test::make_socket_pair();
    process::spawn_request request = test::role_request(role, std::move(given));
    request.descriptors = {theirs.get()};
    return {std::move(ours), test::start(request)};
}

void wait_until_ended(const process::child& process) {
    pollfd entry{process.pidfd(), POLLIN, 0};
    REQUIRE(::poll(&entry, 1, test::patience_ms) == 1);
}

// Does this kernel keep the status of a process that somebody else reaped? (Linux 6.15)
bool kernel_keeps_status() {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::_exit(0);
    }
    const process::unique_fd pidfd(static_cast<int>(::syscall(434, pid, 0)));
    ::waitpid(pid, nullptr, 0);
    struct {
        unsigned long long mask = 8;
        char rest[56] = {};
    } information;
    return ::ioctl(pidfd.get(), _IOWR(0xFF, 11, information), &information) == 0 &&
           (information.mask & 8) != 0;
}

} // namespace

TEST_CASE("a status is read from waitid's words and from a wait word") {
    CHECK(exit_status::from_siginfo(CLD_EXITED, 3) == exit_status{exit_status::kind::exited, 3});
    CHECK(exit_status::from_siginfo(CLD_DUMPED, 11) ==
          exit_status{exit_status::kind::signalled, 11, true});
    CHECK(exit_status::from_siginfo(CLD_STOPPED, 19) == exit_status{});
    CHECK(exit_status::from_wait_word(0x0300) == exit_status{exit_status::kind::exited, 3});
    CHECK(exit_status::from_wait_word(0x8b) == exit_status{exit_status::kind::signalled, 11, true});
    CHECK(exit_status::from_wait_word(0x137f) == exit_status{});
}

TEST_CASE("a status is told in words") {
    CHECK(describe(exit_status{exit_status::kind::exited, 3}) == "exited with status 3");
    CHECK(describe(exit_status{exit_status::kind::signalled, SIGABRT}) == "was killed by SIGABRT");
    CHECK(describe(exit_status{}) == "ended, its status is unknown");
    CHECK(process::signal_name(SIGRTMIN + 3) == "SIGRTMIN+3");
    CHECK(process::signal_name(200) == "signal 200");
}

TEST_CASE("a process is reaped once, without waiting") {
    auto [socket, process] = converse("wait for a word");
    REQUIRE(test::read_bytes(socket.get(), 1) == "r");
    CHECK(process.reap() == std::nullopt);
    CHECK(process.send_signal(0));
    test::write_text(socket.get(), "w");
    const exit_status expected{exit_status::kind::exited, 7};
    CHECK(test::wait_for_end(process) == expected);
    CHECK(process.reaped());
    CHECK(process.reap() == expected);
    CHECK(!process.send_signal(0));
    CHECK(::waitpid(process.pid(), nullptr, WNOHANG) == -1);
}

TEST_CASE("a signal that is not SIGKILL is reported as what it is") {
    auto [socket, process] = converse("wait for a word");
    REQUIRE(test::read_bytes(socket.get(), 1) == "r");
    CHECK(process.send_signal(SIGUSR1));
    CHECK(test::wait_for_end(process) == exit_status{exit_status::kind::signalled, SIGUSR1});
}

TEST_CASE("a group is killed with its leader") {
    auto [socket, process] = converse("have a child", {"and stay"});
    REQUIRE(test::read_bytes(socket.get(), 2).size() == 2);
    process.kill_group();
    CHECK(test::wait_for_end(process) == exit_status{exit_status::kind::signalled, SIGKILL});
    // The end of the stream: the child of the process is gone too.
    CHECK(test::read_to_end(socket.get()).empty());
}

TEST_CASE("a group is killed although its leader has ended") {
    auto [socket, process] = converse("have a child", {"and exit"});
    REQUIRE(test::read_bytes(socket.get(), 1) == "c");
    wait_until_ended(process);
    process.kill_group();
    CHECK(test::wait_for_end(process) == exit_status{exit_status::kind::exited, 0});
    CHECK(test::read_to_end(socket.get()).empty());
}

TEST_CASE("a status that the host took is asked from the kernel") {
    const bool kept = kernel_keeps_status();
    const exit_status expected = kept ? exit_status{exit_status::kind::exited, 7} : exit_status{};
    SECTION("by ignoring SIGCHLD") {
        const auto old = ::signal(SIGCHLD, SIG_IGN);
        auto [socket, process] = converse("wait for a word");
        REQUIRE(test::read_bytes(socket.get(), 1) == "r");
        CHECK(process.reap() == std::nullopt);
        test::write_text(socket.get(), "w");
        CHECK(test::wait_for_end(process) == expected);
        process.kill_group(); // The number is nobody's now: this must hit nobody.
        ::signal(SIGCHLD, old);
    }
    SECTION("by waiting for any child") {
        auto [socket, process] = converse("wait for a word");
        REQUIRE(test::read_bytes(socket.get(), 1) == "r");
        test::write_text(socket.get(), "w");
        CHECK(::waitpid(-1, nullptr, 0) == process.pid());
        process.kill_group();
        CHECK(test::wait_for_end(process) == expected);
    }
}

TEST_CASE("a fork is noticed in the child only") {
    const std::uint32_t before = process::fork_generation();
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::_exit(process::fork_generation() == before + 1 ? 0 : 1);
    }
    int word = -1;
    REQUIRE(::waitpid(pid, &word, 0) == pid);
    CHECK(word == 0);
    CHECK(process::fork_generation() == before);
}

TEST_CASE("a process that is exiting is told from one that is not") {
    CHECK_FALSE(process::says_exiting("4242 (a) b) R 1 4242 4242 0 -1 4194304 91 0 0 0"));
    CHECK(process::says_exiting("4242 (a) b) Z 1 4242 4242 0 -1 4194316 91 0 0 0"));
    CHECK_FALSE(process::says_exiting(""));
    CHECK_FALSE(process::says_exiting("4242 (sh) R 1 4242"));
    CHECK_FALSE(process::says_exiting("4242 (sh) R 1 4242 4242 0 -1 flags"));

    auto [socket, process] = converse("wait for a word");
    CHECK(test::read_bytes(socket.get(), 1) == "r");
    CHECK_FALSE(process::is_exiting(process.pid()));
    process.send_signal(SIGKILL);
    wait_until_ended(process);
    CHECK(process::is_exiting(process.pid()));
    CHECK(process.reap().has_value());
    CHECK(process::is_exiting(process.pid())); // nobody tells any more
}
