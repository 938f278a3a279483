#include "process/fork_copy.hpp"

#include "child_role.hpp"
#include "process/fork_guard.hpp"
#include "process/fork_settings.hpp"
#include "process/threads.hpp"
#include "support/catch.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// A copy of a process that is its brother, and what the copy is given.

using namespace coproc;
using test::child_role;

namespace {

std::string number(long n) { return std::to_string(n) + " "; }

// Makes a copy, and both tell of it.
const child_role copy_oneself("copy oneself", [](const test::arguments& arguments) {
    const std::uint32_t before = process::fork_generation();
    const process::os_result<pid_t> made = process::copy_beside();
    if (!made) {
        return 2;
    }
    if (made.value() != 0) {
        test::write_text(4, number(made.value()));
        char nothing = 0;
        return ::read(4, &nothing, 1) == 0 ? 0 : 3; // until the test has closed its end
    }
    test::write_text(3, number(::getpid()) + number(::getppid()) + number(::getpgrp()) +
                            number(process::fork_generation() - before));
    if (!arguments.empty() && arguments.back() == "stays") {
        for (;;) {
            ::pause();
        }
    }
    return 7;
});

struct brothers {
    process::child first;
    process::unique_fd of_copy;
    process::unique_fd of_first;
    pid_t copy = 0;
};

brothers make_brothers(const test::arguments& arguments) {
    auto [of_copy, copys] = test::make_socket_pair();
    auto [of_first, firsts] = test::make_socket_pair();
    process::spawn_request request = test::role_request("copy oneself", arguments);
    request.descriptors = {copys.get(), firsts.get()};
    process::child first = test::start(request);
    first.makes_children();
    std::string told;
    while (told.empty() || told.back() != ' ') {
        const std::string next = test::read_bytes(of_first.get(), 1);
        REQUIRE(next.size() == 1);
        told += next;
    }
    return {std::move(first), std::move(of_copy), std::move(of_first), std::stoi(told)};
}

void wait_for(const process::child& process) {
    pollfd wait{.fd = process.pidfd(), .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&wait, 1, test::patience_ms) == 1);
}

} // namespace

TEST_CASE("a copy of a process is a child of the same parent") {
    brothers both = make_brothers({});
    auto found = process::child::find(both.copy);
    REQUIRE(found);
    process::child copy = std::move(found).value();
    CHECK(test::wait_for_end(copy) ==
          process::exit_status{.how = process::exit_status::kind::exited, .value = 7});
    both.of_first.reset(); // the first, which was there all the time, ends
    CHECK(test::wait_for_end(both.first).value == 0);
    const std::string expected =
        number(both.copy) + number(::getpid()) + number(both.first.pid()) + number(1);
    CHECK(test::read_to_end(both.of_copy.get()) == expected);
}

TEST_CASE("copies that have not left the group of their origin are reaped with it") {
    brothers both = make_brothers({"stays"});
    auto found = process::child::find(both.copy);
    REQUIRE(found);
    CHECK_FALSE(both.first.ended());
    both.first.kill_group();
    wait_for(both.first);
    CHECK(both.first.ended());
    CHECK(test::wait_for_end(both.first).value == SIGKILL);
    const process::child copy = std::move(found).value();
    siginfo_t info{};
    CHECK(::waitid(P_PIDFD, static_cast<id_t>(copy.pidfd()), &info, WEXITED | WNOHANG) == -1);
    CHECK(errno == ECHILD);
}

TEST_CASE("a process of somebody else is no child") {
    auto found = process::child::find(::getppid());
    REQUIRE_FALSE(found);
    CHECK(found.error().number == ECHILD);
    auto none = process::child::find(0x3FFFFFFF); // above all that there can be
    REQUIRE_FALSE(none);
    CHECK(none.error().step == "pidfd_open");
}

TEST_CASE("threads are counted") {
    CHECK(process::count_threads() == 1);
    auto [socket, other] = test::make_socket_pair();
    std::thread second([&end = other] {
        char nothing = 0;
        static_cast<void>(::read(end.get(), &nothing, 1));
    });
    CHECK(process::count_threads() == 2);
    socket.reset();
    second.join();
    CHECK(process::count_threads() == 1);
}

TEST_CASE("the settings of a forked worker are a message") {
    const process::fork_settings given{
        .process = {.working_directory = "/tmp",
                    .nice = 2,
                    .affinity = {0, 63, 64},
                    .limits = {{RLIMIT_NOFILE, 64, 65, "open_files"}}},
        .niceness = -3,
        .variables = {"A=1", "B="}};
    const auto bytes = process::encode_settings(given);
    const process::fork_settings read = process::decode_settings(bytes.bytes());
    CHECK(read.process.working_directory == "/tmp");
    CHECK(read.process.nice == 2);
    CHECK(read.process.affinity == given.process.affinity);
    REQUIRE(read.process.limits.size() == 1);
    CHECK(read.process.limits[0].resource == RLIMIT_NOFILE);
    CHECK(read.process.limits[0].soft == 64);
    CHECK(read.process.limits[0].hard == 65);
    CHECK(read.process.limits[0].name == "open_files");
    CHECK(read.niceness == -3);
    CHECK(read.variables == given.variables);
    CHECK_THROWS(process::decode_settings(bytes.bytes().first(bytes.size() - 1)));
}

TEST_CASE("what cannot be set is named as the option is") {
    const auto refused = [](const process::fork_settings& settings) {
        const std::string why_not = process::take_settings(settings);
        INFO(why_not);
        CHECK_FALSE(why_not.empty());
        return why_not;
    };
    CHECK(refused({.process = {.working_directory = "/nowhere"}}) ==
          "executor_options::process.working_directory: chdir to /nowhere: No such file or "
          "directory");
    CHECK(refused({.process = {.affinity = {60'000}}})
              .find("executor_options::process.affinity: sched_setaffinity to CPU 60000: ") == 0);
    CHECK(refused({.process = {.limits = {{.resource = RLIMIT_NOFILE,
                                           .soft = 2,
                                           .hard = 1,
                                           .name = "open_files"}}}})
              .find("executor_options::process.limits.open_files: setrlimit to 2") == 0);
    CHECK(process::take_settings({.variables = {"COPROC_TEST_SET=here"}}).empty());
    CHECK(std::string(std::getenv("COPROC_TEST_SET")) == "here");
    ::unsetenv("COPROC_TEST_SET");
}
