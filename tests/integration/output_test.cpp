#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"

#include <coproc/coproc.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

// executor_options::capture_output: what workers write.

namespace {

using coproc::errc;

int same(int n) { return n; }

/// The whole of it, whatever the pipe takes at a time.
void write_all(int descriptor, const std::string& bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t got = ::write(descriptor, bytes.data() + done, bytes.size() - done);
        if (got < 0) {
            throw std::runtime_error("write failed");
        }
        done += static_cast<std::size_t>(got);
    }
}

int complain_and_die(int signal) {
    std::cout << "opening image 7" << std::endl;
    std::cerr << "warning: no colour profile\nerror: image 7 has no pixels\n";
    ::raise(signal);
    return 0;
}

int mumble(int n) {
    std::printf("number %d, ", n);
    std::cout << "said";
    return n;
}

int leave_at_once(int status) { std::_Exit(status); }

int throw_in_thread(int) {
    std::thread([] { throw std::runtime_error("no luck"); }).join();
    return 0;
}

/// Lines that are numbered, on both outputs, `times` of 64 KiB each.
int flood(int times) {
    int line = 0;
    for (int i = 0; i < times; ++i) {
        std::string block;
        while (block.size() < 64 * 1024) {
            block += "line " + std::to_string(line++) + "\n";
        }
        write_all(STDOUT_FILENO, block);
        write_all(STDERR_FILENO, block);
    }
    return line;
}

int flood_and_die(int times) {
    const int lines = flood(times);
    write_all(STDERR_FILENO, "that were " + std::to_string(lines));
    std::_Exit(3);
}

/// Goes on writing when the task is over.
int leave_a_writer(int bytes) {
    std::thread([bytes] {
        write_all(STDOUT_FILENO, std::string(static_cast<std::size_t>(bytes), 'x'));
        write_all(STDERR_FILENO, std::string(static_cast<std::size_t>(bytes), 'y'));
    }).detach();
    return bytes;
}

int write_escapes(int) {
    std::cerr << "\x1b[31mred\x1b[0m \xff \"quoted\"\n";
    std::abort();
}

std::size_t resident_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        if (word == "VmRSS:") {
            std::size_t kib = 0;
            status >> kib;
            return kib;
        }
    }
    return 0;
}

asio::awaitable<void> last_words() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .capture_output = true});
    // Not SIGSEGV: with it AddressSanitizer has last words of its own.
    for (const int signal : {SIGKILL, SIGABRT, SIGTRAP, SIGPIPE}) {
        INFO("signal " << signal);
        const auto got = co_await executor.submit(complain_and_die, signal);
        REQUIRE(got.has_error());
        INFO(got.error().message());
        CHECK(got.error() == errc::worker_terminated);
        const auto worker = got.error().worker();
        REQUIRE(worker);
        CHECK(worker->signal == signal);
        CHECK(worker->stderr_tail == "warning: no colour profile\nerror: image 7 has no pixels\n");
        CHECK(worker->stdout_tail == "opening image 7\n");
        CHECK(
            got.error().message().find("at the end it wrote \"warning: no colour profile\\nerror: "
                                       "image 7 has no pixels\"") != std::string::npos);
    }
    const auto next = co_await executor.submit(same, 4);
    CHECK(next.value() == 4);
}

/// What a task has printed is not lost when its worker is killed after it.
asio::awaitable<void> printed_before_the_end() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .capture_output = true});
    const auto first = co_await executor.submit(mumble, 1);
    CHECK(first.value() == 1);
    const auto last = co_await executor.submit(leave_at_once, 3);
    REQUIRE(last.has_error());
    const auto worker = last.error().worker();
    REQUIRE(worker);
    CHECK(worker->stdout_tail == "number 1, said");
}

asio::awaitable<void> terminate_message() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .capture_output = true});
    const auto got = co_await executor.submit(throw_in_thread, 1);
    REQUIRE(got.has_error());
    INFO(got.error().message());
    CHECK(got.error().message().find("std::runtime_error") != std::string::npos);
    CHECK(got.error().message().find("no luck") != std::string::npos);
    CHECK(got.error().message().find('\n') == std::string::npos);
}

asio::awaitable<void> floods() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .capture_output = true});
    const auto warm = co_await executor.submit(flood, 4);
    REQUIRE(warm.has_value());
    const std::size_t before = resident_kib();
    constexpr int times = 1024; // 128 MiB in all
    const auto got = co_await executor.submit(flood, times);
    REQUIRE(got.has_value());
    CHECK(got.value() > times);
    CHECK(resident_kib() < before + 16 * 1024);
    const auto died = co_await executor.submit(flood_and_die, 16);
    REQUIRE(died.has_error());
    const auto worker = died.error().worker();
    REQUIRE(worker);
    CHECK(worker->status == 3);
    CHECK(worker->stderr_tail.size() <= 4096);
    CHECK(worker->stderr_tail.size() > 4000);
    CHECK(worker->stderr_tail.starts_with("line "));
    CHECK(worker->stderr_tail.find("that were ") != std::string::npos);
    CHECK(worker->stdout_tail.size() <= 4096);
    CHECK(worker->stdout_tail.size() > 4000);
    const auto next = co_await executor.submit(same, 4);
    CHECK(next.value() == 4);
}

asio::awaitable<void> writer_left_behind() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .capture_output = true});
    for (int i = 0; i < 5; ++i) {
        const auto got = co_await executor.submit(leave_a_writer, 1 << 20);
        REQUIRE(got.has_value());
        const auto next = co_await executor.submit(same, i);
        CHECK(next.value() == i);
    }
    CHECK(executor.stats().started_workers == 1);
}

asio::awaitable<void> escapes() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .capture_output = true});
    const auto got = co_await executor.submit(write_escapes, 1);
    REQUIRE(got.has_error());
    CHECK(got.error().worker()->stderr_tail == "\x1b[31mred\x1b[0m \xff \"quoted\"\n");
    CHECK(got.error().message().find(R"("\x1b[31mred\x1b[0m \xff \"quoted\"")") !=
          std::string::npos);
}

} // namespace

TEST_CASE("what a worker wrote before it died is in the failure", "[process][output]") {
    const std::size_t descriptors = test::open_descriptors();
    test::run(last_words());
    CHECK(test::descriptors_settle(descriptors));
}

TEST_CASE("what a task has printed is flushed before its result is sent", "[process][output]") {
    test::run(printed_before_the_end());
}

TEST_CASE("the runtime's last words are in the sentence", "[process][output]") {
    test::run(terminate_message());
}

TEST_CASE("a task that floods its outputs comes to its end, and the parent does not grow",
          "[process][output]") {
    test::run(floods());
}

TEST_CASE("what goes on writing when its task is over does not disturb the next ones",
          "[process][output]") {
    test::run(writer_left_behind());
}

TEST_CASE("what a worker wrote is shown as data", "[process][output]") { test::run(escapes()); }

TEST_CASE("a process that is no worker is quoted", "[process][output][executable]") {
    char script[] = "/tmp/coproc-script-XXXXXX";
    const int file = ::mkstemp(script);
    write_all(file, "#!/bin/sh\necho 'no licence server' >&2\nexit 3\n");
    ::fchmod(file, 0700);
    ::close(file);
    asio::io_context loop;
    coproc::executor executor(
        loop,
        {.max_workers = 1, .executable = script, .max_failed_starts = 2, .capture_output = true});
    auto job = executor.submit(same, 1);
    test::run(loop);
    const auto got = std::move(job).get();
    REQUIRE(got.has_error());
    INFO(got.error().message());
    CHECK(got.error() == errc::handshake_failed);
    CHECK(got.error().message().find("exited with status 3") != std::string::npos);
    CHECK(got.error().message().find("\"no licence server\"") != std::string::npos);
    ::unlink(script);
}

TEST_CASE("an executor that captures works on its own thread, and watches the idle",
          "[process][output]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 2, .capture_output = true});
    for (int i = 0; i < 20; ++i) {
        CHECK(executor.submit(flood, 1).get().has_value());
        CHECK(executor.submit(leave_a_writer, 1 << 18).get().has_value());
    }
    // In a worker that nothing else writes to.
    coproc::executor other(coproc::own_thread, {.max_workers = 1, .capture_output = true});
    const auto got = other.submit(complain_and_die, SIGKILL).get();
    REQUIRE(got.has_error());
    CHECK(got.error().worker()->stderr_tail.ends_with("error: image 7 has no pixels\n"));
}

TEST_CASE("without capture_output nothing is kept", "[process][output]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto job = executor.submit(
        +[](int) -> int { std::_Exit(3); }, 1);
    test::run(loop);
    const auto got = std::move(job).get();
    REQUIRE(got.has_error());
    CHECK(got.error().worker()->stderr_tail.empty());
    CHECK(got.error().worker()->stdout_tail.empty());
    CHECK(got.error().message().find("wrote") == std::string::npos);
}
