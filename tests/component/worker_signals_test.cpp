#include "worker/worker_signals.hpp"

#include "child_role.hpp"
#include "support/catch.hpp"
#include "support/compute.hpp"

#include <csignal>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace coproc;
using process::exit_status;
using test::child_role;

namespace {

// Answers each byte. The parent is named as an argument, as the identity would.
const child_role echo("echo", [](const test::arguments& parent) {
    worker::install_worker_signals(std::stoi(parent.at(0)));
    test::write_text(3, "r");
    for (char byte = 0; ::read(3, &byte, 1) == 1;) {
        test::write_text(3, {&byte, 1});
    }
    return 9;
});

// Computes for ever, and so does a child of it.
const child_role compute("compute", [](const test::arguments&) -> int {
    const bool is_child = ::fork() == 0;
    if (!is_child) {
        worker::install_worker_signals(::getppid());
    }
    test::write_text(3, "r");
    test::compute_for_ever();
});

const child_role be_parent("be a parent", [](const test::arguments&) -> int {
    process::spawn_request request = test::role_request("compute");
    request.descriptors = {3};
    const process::child process = test::start(request);
    ::close(3);
    for (;;) {
        ::pause();
    }
});

// A child of a worker that has only been forked.
const child_role end_forked_child("end a forked child", [](const test::arguments&) {
    worker::install_worker_signals(::getppid());
    const pid_t pid = ::fork();
    if (pid == 0) {
        for (;;) {
            ::pause();
        }
    }
    ::kill(pid, SIGTERM);
    int word = 0;
    ::waitpid(pid, &word, 0);
    return WIFSIGNALED(word) && WTERMSIG(word) == SIGTERM ? 0 : 1;
});

const child_role signal_process("signal a process", [](const test::arguments& given) {
    return ::kill(std::stoi(given.at(0)), std::stoi(given.at(1))) == 0 ? 0 : 1;
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

void check_answers(const conversation& worker) {
    test::write_text(worker.socket.get(), "x");
    CHECK(test::read_bytes(worker.socket.get(), 1) == "x");
}

const std::string own_number = std::to_string(::getpid());

} // namespace

TEST_CASE("a computing worker and its group die with their parent", "[signals]") {
    conversation parent = converse("be a parent");
    REQUIRE(test::read_bytes(parent.socket.get(), 2) == "rr");
    REQUIRE(parent.process.send_signal(SIGKILL));
    CHECK(test::read_to_end(parent.socket.get()).empty());
    CHECK(test::wait_for_end(parent.process) == exit_status{exit_status::kind::signalled, SIGKILL});
}

TEST_CASE("a worker outlives the thread that started it") {
    std::optional<conversation> worker;
    long thread_number = 0;
    std::thread([&] {
        thread_number = ::syscall(SYS_gettid);
        worker.emplace(converse("echo", {own_number}));
        REQUIRE(test::read_bytes(worker->socket.get(), 1) == "r");
    }).join();
    // A thread can be joined a little before the kernel tells its children of its end.
    const std::string thread = "/proc/self/task/" + std::to_string(thread_number);
    struct stat information {};
    while (::stat(thread.c_str(), &information) == 0) {
        std::this_thread::yield();
    }
    check_answers(*worker);
    worker->socket.reset();
    CHECK(test::wait_for_end(worker->process) == exit_status{exit_status::kind::exited, 9});
}

TEST_CASE("a worker whose parent was gone before it looked dies at once") {
    conversation worker = converse("echo", {"1"});
    CHECK(test::read_to_end(worker.socket.get()).empty());
    CHECK(test::wait_for_end(worker.process) == exit_status{exit_status::kind::signalled, SIGKILL});
}

TEST_CASE("SIGINT does nothing to a worker", "[signals]") {
    conversation worker = converse("echo", {own_number});
    REQUIRE(test::read_bytes(worker.socket.get(), 1) == "r");
    REQUIRE(worker.process.send_signal(SIGINT));
    check_answers(worker);
    worker.socket.reset();
    CHECK(test::wait_for_end(worker.process) == exit_status{exit_status::kind::exited, 9});
}

TEST_CASE("requests to end count from the parent only", "[signals]") {
    for (const int number : {SIGTERM, SIGHUP, SIGQUIT}) {
        INFO(number);
        conversation worker = converse("echo", {own_number});
        REQUIRE(test::read_bytes(worker.socket.get(), 1) == "r");
        process::child stranger = test::start(test::role_request(
            "signal a process", {std::to_string(worker.process.pid()), std::to_string(number)}));
        CHECK(test::wait_for_end(stranger) == exit_status{exit_status::kind::exited, 0});
        check_answers(worker);
        REQUIRE(worker.process.send_signal(number));
        const exit_status status = test::wait_for_end(worker.process);
        CHECK(status.how == exit_status::kind::signalled);
        CHECK(status.value == number);
    }
}

TEST_CASE("a process that a task forked ends on request", "[signals]") {
    conversation worker = converse("end a forked child");
    CHECK(test::wait_for_end(worker.process) == exit_status{exit_status::kind::exited, 0});
}
