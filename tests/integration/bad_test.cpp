#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"
#include "support/shared_mappings.hpp"

#include <coproc/coproc.hpp>

#include <asio/detached.hpp>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <stdexcept>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

// What callers, systems and workers do wrong. Each ends in one failure with a sentence, and the
// next task works.

namespace {

using coproc::certainty;
using coproc::errc;
using namespace std::chrono_literals;

int same(int n) { return n; }

/// What a whole sentence about a failure has.
void check_failure(const coproc::result<int>& got, errc code, certainty how,
                   const std::string& says) {
    REQUIRE(got.has_error());
    INFO(got.error().message());
    CHECK(got.error() == code);
    CHECK(got.error().certainty() == how);
    CHECK(got.error().message().find(says) != std::string::npos);
}

coproc::result<int> run_one(coproc::executor_options options) {
    asio::io_context loop;
    coproc::executor executor(loop, std::move(options));
    auto job = executor.submit(same, 1);
    test::run(loop);
    REQUIRE(job.ready());
    return std::move(job).get();
}

std::string beside(const char* program) {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / program;
}

/// What a program prints, and how it ended.
std::pair<std::string, int> output_of(const std::string& command) {
    std::FILE* const pipe = ::popen(command.c_str(), "r");
    std::string text;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
        text += static_cast<char>(c);
    }
    return {text, ::pclose(pipe)};
}

// ---- tasks that break their worker's word

/// The worker has no other.
int socket_of_worker() {
    int number = 3;
    for (struct stat what{}; ::fstat(number, &what) != 0 || !S_ISSOCK(what.st_mode);) {
        ++number;
    }
    return number;
}

int send_bytes(std::string bytes, std::size_t times) {
    const int socket = socket_of_worker();
    for (std::size_t i = 0; i < times; ++i) {
        static_cast<void>(::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    }
    for (;;) {
        ::pause();
    }
}

/// Overwrites every page that is shared with the parent.
int scribble(int byte) {
    const auto pages = test::shared_mappings();
    for (const std::span<std::byte> page : pages) {
        std::memset(page.data(), byte, page.size());
    }
    return static_cast<int>(pages.size());
}

std::string hello() {
    std::ifstream file(COPROC_TEST_DATA "/hello.bin", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

asio::awaitable<void> liars() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .max_message_bytes = 1 << 20});
    const std::vector<std::string> lies{
        hello(),                     // which a worker says once
        std::string(1, '\xff'),      // less than a header, and no end
        std::string(64, '\xff'),     // no header
        std::string(100000, '\xff'), // more than a buffer of it
        std::string("\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16) + std::string(240, '\x7f'),
        std::string("\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16) + std::string(48, '\0'),
    };
    for (std::size_t i = 0; i < lies.size(); ++i) {
        for (const std::size_t times : {1, 50}) {
            INFO("lie " << i << ", " << times << " times");
            const bool unfinished = lies[i].size() * times < 16;
            const coproc::duration limit = unfinished ? 100ms : coproc::no_limit;
            const auto got = co_await executor.submit({.timeout = limit, .grace = 0ms}, send_bytes,
                                                      lies[i], times);
            REQUIRE(got.has_error());
            INFO(got.error().message());
            CHECK(got.error() == (unfinished ? errc::timed_out : errc::worker_terminated));
            const auto next = co_await executor.submit(same, 3);
            CHECK(next.value() == 3);
        }
    }
    for (const int byte : {0x00, 0x01, 0x7f, 0xff}) {
        INFO("scribbled " << byte);
        const auto got = co_await executor.submit({.timeout = 300ms, .grace = 0ms}, scribble, byte);
        CHECK((got.has_value() || got.error() == errc::worker_terminated ||
               got.error() == errc::timed_out));
        // The page is that worker's alone: whatever it is now, a task or two later all is well.
        for (int i = 0;; ++i) {
            const auto next = co_await executor.submit({.timeout = 1s, .grace = 0ms}, same, 3);
            if (next.has_value()) {
                CHECK(next.value() == 3);
                break;
            }
            REQUIRE(i < 20);
        }
    }
}

int end_of_input() { return ::getchar(); }

} // namespace

TEST_CASE("options that are wrong in themselves are refused by name", "[bad]") {
    asio::io_context loop;
    const auto refuses = [&](coproc::executor_options options, const std::string& field) {
        try {
            coproc::executor executor(loop, options);
            FAIL("not refused: " << field);
        } catch (const std::invalid_argument& error) {
            CHECK(std::string(error.what()).find(field) != std::string::npos);
        }
    };
    refuses({.max_workers = 0}, "max_workers");
    refuses({.max_queued = 0}, "max_queued");
    refuses({.start = static_cast<coproc::start_method>(77)}, "start");
    refuses({.max_failed_starts = 0}, "max_failed_starts");
    refuses({.start_timeout = 0s}, "start_timeout");
    refuses({.max_message_bytes = 1}, "max_message_bytes");
    refuses({.max_workers = 65537}, "max_workers");
    refuses({.executable = std::string("/bin/tr\0ue", 10)}, "executable");
    refuses({.start_timeout = -1s}, "start_timeout");
    refuses({.max_message_bytes = (std::size_t{1} << 62) + 1}, "max_message_bytes");
    refuses({.initializer_timeout = 0s}, "initializer_timeout");
    refuses({.exit_timeout = 0s}, "exit_timeout");
    coproc::call moved(end_of_input);
    static_cast<void>(coproc::call(std::move(moved)));
    refuses({.initializers = {moved}}, "initializers");
    const coproc::call long_one([](const std::string&) {}, std::string(65536, 'x'));
    refuses({.initializers = {long_one}, .max_message_bytes = 65536}, "initializers");
}

TEST_CASE("what threads do not have is refused for them", "[process][bad]") {
    constexpr auto threads = coproc::start_method::in_process;
    asio::io_context loop;
    const auto refuses = [&](coproc::executor_options options, const std::string& field) {
        try {
            coproc::executor executor(loop, options);
            FAIL("not refused: " << field);
        } catch (const std::invalid_argument& error) {
            CHECK(std::string(error.what()).find("executor_options::" + field) !=
                  std::string::npos);
        }
    };
    refuses({.start = threads, .executable = "/bin/true"}, "executable");
    refuses({.start = threads, .capture_output = true}, "capture_output");
    refuses({.start = threads, .core_dumps = true}, "core_dumps");
}

TEST_CASE("a shutdown of no mode is refused by name, and the executor goes on", "[bad]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    const coproc::shutdown_options wrong{.mode = static_cast<coproc::shutdown_mode>(77)};
    CHECK_THROWS_AS(executor.async_shutdown(wrong), std::invalid_argument);
    CHECK_THROWS_WITH(
        executor.async_shutdown(wrong),
        "coproc: shutdown_options::mode must be one of drain, cancel_queued and kill");
    auto job = executor.submit(same, 1);
    test::run(loop);
    CHECK(std::move(job).get().value() == 1);
    coproc::executor blocking(coproc::own_thread, {.max_workers = 1});
    CHECK_THROWS_AS(blocking.shutdown(wrong), std::invalid_argument);
}

TEST_CASE("a queue that is full refuses", "[bad]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1, .max_queued = 2});
    auto one = executor.submit(same, 1);
    auto two = executor.submit(same, 2);
    auto three = executor.submit(same, 3);
    REQUIRE(three.ready());
    check_failure(std::move(three).get(), errc::queue_full, certainty::not_started, "max_queued");
    test::run(loop);
    CHECK(std::move(two).get().value() == 2);
}

TEST_CASE("a function outside of all modules is unknown", "[bad]") {
    void* const code =
        ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(code != MAP_FAILED);
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto job = executor.submit(reinterpret_cast<int (*)(int)>(code), 1);
    REQUIRE(job.ready());
    check_failure(std::move(job).get(), errc::unknown_function, certainty::not_started, "function");
    ::munmap(code, 4096);
}

TEST_CASE("an executable that cannot be one is told with its reason",
          "[process][bad][executable]") {
    check_failure(run_one({.max_workers = 1, .executable = "/no/such/file"}), errc::spawn_failed,
                  certainty::not_started, "No such file");
    check_failure(run_one({.max_workers = 1, .executable = "/etc/passwd"}), errc::spawn_failed,
                  certainty::not_started, "ermission denied");
    // Another program: ends before it is ready, or is a worker of another build, or hangs.
    check_failure(run_one({.max_workers = 1, .executable = "/bin/true"}), errc::handshake_failed,
                  certainty::not_started, " (/bin/true) exited with status 0");
    check_failure(run_one({.max_workers = 1, .executable = beside("integration_host")}),
                  errc::handshake_failed, certainty::not_started, "another build");
    check_failure(run_one({.max_workers = 1,
                           .executable = beside("integration_hanging"),
                           .max_failed_starts = 2,
                           .start_timeout = 200ms}),
                  errc::handshake_failed, certainty::not_started, "did not say hello in time");
    CHECK_FALSE(test::has_children());
}

TEST_CASE("an executor whose workers never start is broken", "[process][bad][executable]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1, .executable = "/no/such/file"});
    auto first = executor.submit(same, 1);
    test::run(loop);
    auto second = executor.submit(same, 1);
    REQUIRE(second.ready());
    check_failure(std::move(second).get(), errc::executor_broken, certainty::not_started,
                  "No such file");
}

TEST_CASE("a program that never calls init is told so, and starts no process", "[process][bad]") {
    const auto [text, status] = output_of("COPROC_START_METHOD= " + beside("integration_plain"));
    INFO(text);
    CHECK(status == 0);
    CHECK(text.find("coproc::init(argc, argv)") != std::string::npos);
    CHECK(text.find("coproc_main") != std::string::npos);
}

TEST_CASE("an unknown start method in the environment is refused", "[process][bad]") {
    const auto [text, status] =
        output_of("COPROC_START_METHOD=telepathy " + beside("integration_plain") + " 2>&1");
    CHECK(status != 0);
    CHECK(text.find("COPROC_START_METHOD") != std::string::npos);
    CHECK(text.find("telepathy") != std::string::npos);
}

TEST_CASE("without descriptors no worker starts, with them again it does", "[process][bad]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 2});
    auto one = executor.submit(same, 1);
    test::run(loop);
    CHECK(std::move(one).get().value() == 1);
    for (const pid_t pid : test::children()) {
        ::kill(pid, SIGKILL);
    }
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    rlimit none = before;
    none.rlim_cur = 3;
    ::setrlimit(RLIMIT_NOFILE, &none);
    auto two = executor.submit(same, 2);
    loop.restart();
    loop.run_for(test::patience);
    ::setrlimit(RLIMIT_NOFILE, &before);
    REQUIRE(two.ready());
    check_failure(std::move(two).get(), errc::spawn_failed, certainty::not_started,
                  "Too many open files");
    auto three = executor.submit(same, 3);
    test::run(loop);
    CHECK(std::move(three).get().value() == 3);
}

TEST_CASE("a worker that breaks the protocol costs its task", "[process][bad]") {
    test::run(liars());
}

TEST_CASE("a worker's standard input is at its end", "[process][bad]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto job = executor.submit(end_of_input);
    test::run(loop);
    CHECK(std::move(job).get().value() == EOF);
}

TEST_CASE("D10: workers end with their host, also while they compute",
          "[process][bad][executable]") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const std::string program = beside("integration_host");
    const pid_t host = ::fork();
    if (host == 0) {
        ::dup2(ends[1], STDOUT_FILENO);
        ::execl(program.c_str(), program.c_str(), nullptr);
        ::_exit(1);
    }
    ::close(ends[1]);
    std::FILE* const lines = ::fdopen(ends[0], "r");
    std::array<int, 2> workers{};
    for (int& worker : workers) {
        REQUIRE(std::fscanf(lines, "%d", &worker) == 1);
        worker = test::open_process(worker);
        REQUIRE(worker >= 0);
    }
    ::kill(host, SIGKILL);
    int status = 0;
    ::waitpid(host, &status, 0);
    for (const int worker : workers) {
        CHECK(test::await_end(worker, 1000));
        ::close(worker);
    }
    std::fclose(lines);
}

TEST_CASE("a host may ignore its children, or reap them itself", "[process][bad]") {
    const auto crashes = [](coproc::executor& executor, asio::io_context& loop,
                            const std::function<void()>& after) {
        auto job = executor.submit(
            +[](int) -> int { std::_Exit(7); }, 1);
        auto next = executor.submit(same, 2);
        asio::co_spawn(
            loop,
            [&]() -> asio::awaitable<void> {
                while (!job.ready() || !next.ready()) {
                    after();
                    co_await test::turn();
                }
            },
            asio::detached);
        test::run(loop);
        CHECK(std::move(job).get().error() == errc::worker_terminated);
        CHECK(std::move(next).get().value() == 2);
    };
    {
        struct sigaction ignore {
        }, before{};
        ignore.sa_handler = SIG_IGN;
        ::sigaction(SIGCHLD, &ignore, &before);
        asio::io_context loop;
        coproc::executor executor(loop, {.max_workers = 1});
        crashes(executor, loop, [] {});
        executor.stop();
        test::run(loop);
        ::sigaction(SIGCHLD, &before, nullptr);
    }
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    crashes(executor, loop, [] { ::waitpid(-1, nullptr, WNOHANG); });
}

TEST_CASE("a worker whose parent died before it looked runs nothing of the program",
          "[process][bad]") {
    for (const char* how : {" now", " soon now"}) {
        for (int round = 0; round < 10; ++round) {
            // Ends when no process of it holds the pipe any more.
            const auto [text, status] =
                output_of("COPROC_START_METHOD=exec " + beside("integration_abandoning") + how);
            CHECK(text == "main\n");
        }
    }
}

TEST_CASE("a static constructor that submits starts no chain of processes", "[process][bad]") {
    const auto [text, status] =
        output_of("COPROC_START_METHOD=exec " + beside("integration_eager"));
    INFO(text);
    CHECK(status == 0);
    CHECK(text == "7\n");
}

TEST_CASE("a worker that something else has started for the executor says so",
          "[process][bad][executable]") {
    char script[] = "/tmp/coproc-wrapper-XXXXXX";
    const int file = ::mkstemp(script);
    const std::string text =
        "#!/bin/sh\n" + std::string(std::filesystem::read_symlink("/proc/self/exe")) + "\n";
    REQUIRE(::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::fchmod(file, 0700);
    ::close(file);
    check_failure(run_one({.max_workers = 1, .executable = script, .max_failed_starts = 2}),
                  errc::handshake_failed, certainty::not_started, "not started directly");
    ::unlink(script);
}

#if HAS_OPENMP_PROGRAM
TEST_CASE("test_compatibility_openmp: threads of OpenMP here do no harm to workers",
          "[process][bad]") {
    const auto [text, status] =
        output_of("COPROC_START_METHOD=exec " + beside("integration_openmp"));
    CHECK(text == "4950 4950 5050 5151 5253 5356 4950\n");
    CHECK(status == 0);
}
#endif
