#include "refusal.hpp"

#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/processes.hpp"

#include <coproc/coproc.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>

// The system refuses what starting a worker takes: no memory, no descriptors, no more processes.

namespace {

using coproc::certainty;
using coproc::errc;
using test::call;

struct fault {
    call which;
    int error;
    const char* step; ///< what the failure says about it
};

const fault faults[] = {
    {call::socketpair, EMFILE, "socketpair"},
    {call::socketpair, ENOBUFS, "socketpair"},
    {call::memfd_create, ENFILE, "memfd_create"},
    {call::ftruncate, ENOSPC, "ftruncate"},
    {call::clone, EAGAIN, "clone"},
    {call::clone, ENOMEM, "clone"},
    {call::execve, ENOENT, "execve of "},
    {call::execve, ETXTBSY, "execve of "},
    {call::pidfd_open, EMFILE, "pidfd_open"},
    {call::epoll_ctl, ENOSPC, "the loop cannot watch it"},
};

int same(int n) { return n; }

int run_one(asio::io_context& loop, coproc::executor& executor, int n) {
    auto job = executor.submit(same, n);
    test::run(loop);
    REQUIRE(job.ready());
    return std::move(job).get().value();
}

} // namespace

TEST_CASE("what refuses to start a worker for a moment is not noticed") {
    for (const fault& f : faults) {
        INFO(f.step << ": " << std::strerror(f.error));
        asio::io_context loop;
        coproc::executor executor(loop, {.max_workers = 1});
        const test::refusal twice(f.which, f.error, 2);
        CHECK(run_one(loop, executor, 7) == 7);
        CHECK(twice.count() == 2);
    }
}

TEST_CASE("what refuses to start a worker is told, and the next task works") {
    const std::size_t descriptors = test::open_descriptors();
    for (const fault& f : faults) {
        INFO(f.step << ": " << std::strerror(f.error));
        asio::io_context loop;
        coproc::executor executor(loop, {.max_workers = 2, .max_failed_starts = 3});
        CHECK(run_one(loop, executor, 1) == 1);
        for (const pid_t worker : test::children()) {
            ::kill(worker, SIGKILL);
        }
        {
            const test::refusal always(f.which, f.error);
            auto job = executor.submit(same, 2);
            test::run(loop);
            REQUIRE(job.ready());
            const coproc::result<int> got = std::move(job).get();
            REQUIRE(got.has_error());
            const std::string text = got.error().message();
            INFO(text);
            CHECK(got.error() == errc::spawn_failed);
            CHECK(got.error().certainty() == certainty::not_started);
            CHECK(text.find("no worker process could be started") != std::string::npos);
            CHECK(text.find(f.step) != std::string::npos);
            CHECK(text.find(std::strerror(f.error)) != std::string::npos);
            CHECK(always.count() >= 3);
        }
        CHECK(run_one(loop, executor, 3) == 3);
    }
    CHECK_FALSE(test::has_children());
    CHECK(test::open_descriptors() == descriptors);
}

TEST_CASE("what refuses the first workers of an executor breaks it, and no other") {
    asio::io_context loop;
    const test::refusal always(call::clone, EAGAIN, 3);
    coproc::executor executor(loop, {.max_workers = 1, .max_failed_starts = 3});
    auto first = executor.submit(same, 1);
    test::run(loop);
    CHECK(std::move(first).get().error() == errc::spawn_failed);
    const coproc::result<int> second = executor.submit(same, 2).get();
    REQUIRE(second.has_error());
    CHECK(second.error() == errc::executor_broken);
    CHECK(second.error().message().find(std::strerror(EAGAIN)) != std::string::npos);
    coproc::executor other(loop, {.max_workers = 1});
    CHECK(run_one(loop, other, 3) == 3);
}
