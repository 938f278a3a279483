#include "support/catch.hpp"
#include "support/loop.hpp"

#include <coproc/codecs/string.hpp>
#include <coproc/coproc.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <unistd.h>

// Tasks that are run again after the death of their worker.

namespace {

using namespace std::chrono_literals;
using coproc::certainty;
using coproc::errc;

/// A file that counts the runs of a task, in whatever process they are.
class run_count {
public:
    run_count() : path_(std::filesystem::temp_directory_path() / "coproc-runs-XXXXXX") {
        ::close(::mkstemp(path_.data()));
    }
    ~run_count() { std::filesystem::remove(path_); }
    const std::string& path() const { return path_; }
    std::size_t runs() const { return std::filesystem::file_size(path_); }

private:
    std::string path_;
};

/// Cannot be decoded once its file has something in it.
struct fleeting {
    std::string path;
};

} // namespace

template <>
struct coproc::codec<fleeting> {
    static void encode(encoder& out, const fleeting& value) { out.write(value.path); }
    static fleeting decode(decoder& in) {
        fleeting value{in.read<std::string>()};
        if (std::filesystem::file_size(value.path) > 0) {
            throw std::runtime_error("it is gone");
        }
        return value;
    }
};

namespace {

void die_of(const fleeting& value) {
    std::ofstream(value.path, std::ios::app) << '.' << std::flush;
    ::raise(SIGSEGV);
}

asio::awaitable<void> undecodable_later() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    run_count count;
    const fleeting value{count.path()}; // GCC 12 destroys it twice where it is awaited
    const auto got = co_await executor.submit({.retries = 1}, die_of, value);
    REQUIRE(got.has_error());
    INFO(got.error().message());
    CHECK(got.error() == errc::decode_failed);
    CHECK(got.error().certainty() == certainty::may_have_run);
    CHECK(got.error().message().find("; a worker had died in it before; ") != std::string::npos);
    const auto never = co_await executor.submit(die_of, value);
    CHECK(never.error() == errc::decode_failed);
    CHECK(never.error().certainty() == certainty::not_started);
}

/// Counts itself, and dies unless that was its `last` run.
std::size_t die_before(std::size_t last, std::string path) {
    std::ofstream(path, std::ios::app) << '.' << std::flush;
    const std::size_t run = std::filesystem::file_size(path);
    if (run < last) {
        ::raise(SIGSEGV);
    }
    return run;
}

std::size_t throw_and_count(std::string path) {
    std::ofstream(path, std::ios::app) << '.' << std::flush;
    throw std::runtime_error("no luck");
}

std::size_t hang_and_count(std::string path) {
    std::ofstream(path, std::ios::app) << '.' << std::flush;
    for (;;) {
        std::this_thread::yield();
    }
}

asio::awaitable<void> until_it_works() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    run_count count;
    const auto got =
        co_await executor.submit({.retries = 5}, die_before, std::size_t{3}, count.path());
    CHECK(got.value() == 3);
    CHECK(count.runs() == 3);
    CHECK(executor.stats().crashed_workers == 2);
}

asio::awaitable<void> to_its_limit() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    run_count count;
    const auto got =
        co_await executor.submit({.retries = 2}, die_before, std::size_t{100}, count.path());
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::worker_terminated);
    CHECK(got.error().certainty() == certainty::may_have_run);
    CHECK(got.error().message().find("; 2 workers had died in it before; ") != std::string::npos);
    CHECK(count.runs() == 3);
    const auto next =
        co_await executor.submit({.retries = 0}, die_before, std::size_t{1}, count.path());
    CHECK(next.value() == 4);
}

asio::awaitable<void> not_for_other_failures() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    run_count thrown;
    const auto got = co_await executor.submit({.retries = 3}, throw_and_count, thrown.path());
    CHECK(got.error() == errc::task_threw);
    CHECK(thrown.runs() == 1);
    run_count timed_out;
    const coproc::task_options options{.run_timeout = 1ms, .grace = 0ms, .retries = 3};
    const auto late = co_await executor.submit(options, hang_and_count, timed_out.path());
    CHECK(late.error() == errc::timed_out);
    CHECK(timed_out.runs() <= 1);
}

} // namespace

TEST_CASE("a task that a worker died in may have run, whatever is said of it later",
          "[process][retry]") {
    test::run(undecodable_later());
}

TEST_CASE("a task is run again after the death of its worker, until it works", "[retry][process]") {
    test::run(until_it_works());
}

TEST_CASE("a task that kills again and again stops at its limit and says so", "[retry][process]") {
    test::run(to_its_limit());
}

TEST_CASE("only the death of a worker is a reason to run a task again", "[retry][process]") {
    test::run(not_for_other_failures());
}
