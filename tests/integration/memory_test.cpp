#include "support/catch.hpp"
#include "support/loop.hpp"

#include <coproc/coproc.hpp>

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

// Want of memory, and what only looks like it.

namespace {

using coproc::errc;
using coproc::memory_shortage;

std::size_t take(std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    throw std::bad_alloc(); // they end the process in its place
#endif
    return std::vector<char>(bytes).size();
}

int take_wrong_number(int n) {
    delete[] new double[static_cast<std::size_t>(n)];
    return n;
}

int wrap_bad_alloc(int n) {
    try {
        throw std::bad_alloc();
    } catch (...) {
        std::throw_with_nested(std::runtime_error("image " + std::to_string(n) + " not loaded"));
    }
}

template <class R, class... Args>
coproc::result<R> run_one(R (*function)(Args...), std::type_identity_t<Args>... args) {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto job = executor.submit(function, args...);
    test::run(loop);
    return std::move(job).get();
}

std::vector<std::string> lines_of(const std::string& program) {
    const std::string path =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / program;
    std::FILE* const pipe = ::popen(path.c_str(), "r");
    std::vector<std::string> lines(1);
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
        if (c == '\n') {
            lines.emplace_back();
        } else {
            lines.back() += static_cast<char>(c);
        }
    }
    CHECK(::pclose(pipe) == 0);
    lines.pop_back();
    return lines;
}

} // namespace

TEST_CASE("std::bad_alloc of a task is certain, and stays the task's own exception", "[memory]") {
    const auto got = run_one(take, std::size_t{1} << 62);
    REQUIRE(got.has_error());
    INFO(got.error().message());
    CHECK(got.error() == errc::task_threw);
    CHECK(got.error().certainty() == coproc::certainty::ran);
    CHECK(got.error().out_of_memory() == memory_shortage::certain);
    CHECK_THROWS_AS(got.value(), std::bad_alloc);
    CHECK(got.error().message().find("std::bad_alloc") != std::string::npos);
    CHECK(got.error().message().find("give it more memory") != std::string::npos);
    const auto nested = run_one(wrap_bad_alloc, 3);
    REQUIRE(nested.has_error());
    CHECK(nested.error().out_of_memory() == memory_shortage::certain);
}

TEST_CASE("a wrong number is no want of memory", "[memory]") {
    const auto got = run_one(take_wrong_number, -1);
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::task_threw);
    CHECK(got.error().out_of_memory() == memory_shortage::no);
    CHECK_THROWS_AS(got.value(), std::bad_array_new_length);
}

TEST_CASE("a worker that the kernel killed for want of memory is told from one that was killed",
          "[process][memory][executable]") {
    const std::vector<std::string> lines = lines_of("integration_limited");
    REQUIRE_FALSE(lines.empty());
    if (lines.front() == "no cgroup") {
        WARN("the kernel's killing is not tested: no memory cgroup can be made here");
        return;
    }
    ::rmdir(lines.front().c_str());
    REQUIRE(lines.size() == 7);
    const auto out_of_memory = std::to_string(static_cast<int>(errc::out_of_memory));
    const auto terminated = std::to_string(static_cast<int>(errc::worker_terminated));
    for (const std::size_t i : {2, 4}) {
        INFO(lines[i]);
        CHECK(lines[i].starts_with("code " + out_of_memory + ", shortage 1, worker's 1, "));
        CHECK(lines[i].find("fill_memory: worker ") != std::string::npos);
        CHECK(lines[i].find("was killed by SIGKILL, most likely by the kernel, which had run out "
                            "of memory; the task may have run; give it more memory") !=
              std::string::npos);
    }
    // Before the first kill, and after the last.
    for (const std::size_t i : {1, 5}) {
        INFO(lines[i]);
        CHECK(lines[i].starts_with("code " + terminated + ", shortage 0, worker's 0, "));
        CHECK(lines[i].find("kill_itself") != std::string::npos);
        CHECK(lines[i].find("was killed by SIGKILL; the task may have run") != std::string::npos);
    }
    for (const std::size_t i : {3, 6}) {
        CHECK(lines[i] == "value 7");
    }
}
