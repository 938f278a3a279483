#include "worker/identity.hpp"

#include "child_role.hpp"
#include "support/catch.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <random>
#include <unistd.h>

using namespace coproc;
using test::child_role;
using worker::identity;

namespace {

// Asked by a static constructor, as a user's may.
const bool was_worker_before_main = worker::current_identity() != nullptr;

const child_role tell_identity("tell identity", [](const test::arguments&) {
    const identity* own = worker::current_identity();
    const bool kept = std::getenv(worker::identity_variable) != nullptr;
    std::string text = own != nullptr ? worker::format_identity(*own) : "none";
    text += was_worker_before_main ? ", known before main" : "";
    text += kept ? ", variable kept" : "";
    for (const int descriptor : {3, 4}) {
        text += (::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0 ? ", closed on exec" : "";
    }
    test::write_text(3, text);
    return 0;
});

// Names itself as the parent, with a socket that somebody else made.
const child_role pass_socket_on("pass socket on", [](const test::arguments&) {
    identity told;
    told.socket = 3;
    told.page = 4;
    told.parent = ::getpid();
    process::spawn_request request = test::role_request("tell identity");
    request.descriptors = {3, 4};
    request.variables = {std::string(worker::identity_variable) + "=" +
                         worker::format_identity(told)};
    process::child process = test::start(request);
    return test::wait_for_end(process).value;
});

const identity example{.socket = 3,
                       .page = 4,
                       .parent = 1234,
                       .slot = 7,
                       .nonce = 0xdeadbeef,
                       .mode = worker::entry::exec_main};

std::string identity_of_process_told(const std::string& told) {
    auto [ours, theirs] = test::make_socket_pair();
    const process::unique_fd page = test::make_memory_file(1);
    process::spawn_request request = test::role_request("tell identity");
    request.descriptors = {theirs.get(), page.get()};
    request.variables = {std::string(worker::identity_variable) + "=" + told};
    process::child process = test::start(request);
    theirs.reset();
    std::string answer = test::read_to_end(ours.get());
    test::wait_for_end(process);
    return answer;
}

} // namespace

TEST_CASE("an identity is written as text and read back") {
    CHECK(worker::format_identity(example) == "3:4:1234:7:00000000deadbeef:exec_main");
    identity worker = example;
    for (const auto mode : {worker::entry::exec, worker::entry::exec_main, worker::entry::zygote}) {
        worker.mode = mode;
        worker.nonce = worker.nonce * 0x9e3779b97f4a7c15;
        worker.slot = ~worker.slot;
        CHECK(worker::parse_identity(worker::format_identity(worker)) == worker);
    }
}

TEST_CASE("other text is no identity") {
    for (const char* text :
         {"", ":", ":::::", "3:4:1234:7:00000000deadbeef", "3:4:1234:7:00000000deadbeef:",
          "3:4:1234:7:00000000deadbeef:exec:", "3:4:1234:7:00000000deadbeef:Exec",
          "3:4:1234:7:deadbeef:exec", "3:4:1234:7:00000000deadbeeg:exec",
          "3:4:1234:7:0x000000deadbeef:exec", "-3:4:1234:7:00000000deadbeef:exec",
          "3:3:1234:7:00000000deadbeef:exec", "3:4:0:7:00000000deadbeef:exec",
          "3:4:-1:7:00000000deadbeef:exec", "3:4:1234:-7:00000000deadbeef:exec",
          "3:4:1234:4294967296:00000000deadbeef:exec", "99999999999:4:1234:7:00000000deadbeef:exec",
          " 3:4:1234:7:00000000deadbeef:exec", "3:4:1234:7:00000000deadbeef:exec "}) {
        INFO(text);
        CHECK(!worker::parse_identity(text));
    }
}

TEST_CASE("an identity that was damaged is another one or none") {
    std::mt19937 random(20260101);
    const std::string good = worker::format_identity(example);
    for (int round = 0; round < 5000; ++round) {
        std::string text = good;
        text[random() % text.size()] = static_cast<char>(random());
        text.resize(random() % 4 == 0 ? random() % text.size() : text.size());
        if (const auto parsed = worker::parse_identity(text)) {
            CHECK(parsed->socket >= 0);
            CHECK(parsed->page >= 0);
            CHECK(parsed->parent > 0);
        }
    }
}

TEST_CASE("a process that its parent made a worker knows it before main, and its children do not") {
    identity told = example;
    told.parent = ::getpid();
    const std::string text = worker::format_identity(told);
    CHECK(identity_of_process_told(text) ==
          text + ", known before main, closed on exec, closed on exec");
}

TEST_CASE("a process is no worker if parent or socket do not agree") {
    identity told = example;
    told.parent = ::getpid();
    SECTION("another parent") { told.parent = 1; }
    SECTION("no socket") {
        told.socket = 4;
        told.page = 3;
    }
    SECTION("no such descriptor") { told.page = 99; }
    CHECK(identity_of_process_told(worker::format_identity(told)) == "none");
}

TEST_CASE("a process is no worker if another process than its parent made the socket") {
    auto [ours, theirs] = test::make_socket_pair();
    const process::unique_fd page = test::make_memory_file(1);
    process::spawn_request request = test::role_request("pass socket on");
    request.descriptors = {theirs.get(), page.get()};
    process::child process = test::start(request);
    theirs.reset();
    CHECK(test::read_to_end(ours.get()) == "none");
    CHECK(test::wait_for_end(process) ==
          process::exit_status{process::exit_status::kind::exited, 0});
}

TEST_CASE("garbage makes no worker, and a test program is none") {
    CHECK(identity_of_process_told("garbage") == "none");
    CHECK(worker::current_identity() == nullptr);
}
