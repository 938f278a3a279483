#include "support/catch.hpp"
#include "support/compute.hpp"
#include "support/interruptible.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"

#include <coproc/codecs/string.hpp>
#include <coproc/codecs/vector.hpp>
#include <coproc/coproc.hpp>

#include <asio/detached.hpp>
#include <asio/use_future.hpp>

#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <unistd.h>

// Executors in tasks of executors.

namespace {

using coproc::certainty;
using coproc::errc;
using coproc::shutdown_mode;
using namespace std::chrono_literals;

/// The processes below this task's, innermost first, then its own.
std::vector<int> nest(int levels) {
    std::vector<int> pids;
    if (levels > 0) {
        coproc::executor inner(coproc::own_thread, {.max_workers = 1});
        pids = test::get(inner.submit(nest, levels - 1)).value();
    }
    pids.push_back(::getpid());
    return pids;
}

/// Goes down until that is refused, and says where and why.
std::string descend(int level) {
    coproc::executor inner(coproc::own_thread, {.max_workers = 1});
    const auto got = test::get(inner.submit(descend, level + 1));
    if (got) {
        return got.value();
    }
    const bool refused =
        got.error() == errc::nesting_too_deep && got.error().certainty() == certainty::not_started;
    return (refused ? "refused at " : "failed at ") + std::to_string(level) + ": " +
           got.error().message();
}

/// Whether workers can be started here before there are tasks; else why not.
std::string start_workers_here() {
    coproc::executor inner(coproc::own_thread, {.max_workers = 1});
    const auto got = inner.async_start(1, asio::use_future).get();
    if (got) {
        return "started";
    }
    const bool refused = got.error() == errc::nesting_too_deep &&
                         got.error().certainty() == certainty::not_started &&
                         inner.stats().started_workers == 0;
    return (refused ? "refused: " : "failed: ") + got.error().message();
}

/// The innermost computes for ever, and the others wait for it.
int hold(int levels, std::string name) {
    const test::visit here(name);
    if (levels == 0) {
        coproc::test::compute_for_ever();
    }
    coproc::executor inner(coproc::own_thread, {.max_workers = 1});
    return test::get(inner.submit(hold, levels - 1, name)).value();
}

/// Two tasks of an inner executor on the loop of this task's own.
int work_on_own_loop(int n) {
    asio::io_context loop;
    coproc::executor inner(loop, {.max_workers = 2});
    auto one = inner.submit(nest, 0);
    auto other = inner.submit(nest, 0);
    loop.run();
    return std::move(one).get().has_value() && std::move(other).get().has_value() ? n : -1;
}

/// An executor with a tree of three levels, all of them in a task.
struct tree {
    asio::io_context loop;
    std::optional<coproc::executor> executor;
    std::optional<coproc::job<int>> job;
    std::vector<int> pids;
    std::vector<int> watched;

    tree() {
        executor.emplace(loop, coproc::executor_options{.max_workers = 1});
        test::meeting meeting(loop);
        job = executor->submit({.grace = 0ms}, hold, 2, meeting.name());
        asio::co_spawn(
            loop,
            [](tree& t, test::meeting& m) -> asio::awaitable<void> {
                for (int level = 0; level < 3; ++level) {
                    int pid = 0;
                    auto arrived = co_await m.arrival(&pid);
                    t.pids.push_back(pid);
                    t.watched.push_back(test::open_process(pid));
                }
                t.loop.stop();
            }(*this, meeting),
            asio::detached);
        loop.run_for(test::patience);
        REQUIRE(pids.size() == 3);
        REQUIRE(std::set<int>(pids.begin(), pids.end()).size() == 3);
    }

    ~tree() {
        for (const int each : watched) {
            ::close(each);
        }
    }

    [[nodiscard]] bool all_end() const {
        for (const int each : watched) {
            if (!test::await_end(each, 10000)) {
                return false;
            }
        }
        return true;
    }
};

} // namespace

TEST_CASE("test_recursion: tasks have executors of their own", "[process][nested]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto job = executor.submit(nest, 3);
    test::run(loop);
    REQUIRE(job.ready());
    std::vector<int> pids = std::move(job).get().value();
    pids.push_back(::getpid());
    CHECK(pids.size() == 5);
    CHECK(std::set<int>(pids.begin(), pids.end()).size() == 5);
}

TEST_CASE("a task may run a loop with an executor on it", "[nested]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 2});
    std::vector<coproc::job<int>> jobs;
    for (int n = 0; n < 4; ++n) {
        jobs.push_back(executor.submit(work_on_own_loop, n));
    }
    test::run(loop);
    for (int n = 0; n < 4; ++n) {
        CHECK(std::move(jobs[static_cast<std::size_t>(n)]).get().value() == n);
    }
}

TEST_CASE("test_max_depth: ten levels of executors work, and one more is refused", "[nested]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto job = executor.submit(descend, 1);
    test::run(loop);
    REQUIRE(job.ready());
    const std::string told = std::move(job).get().value();
    INFO(told);
    CHECK(told.starts_with("refused at 10: "));
    CHECK(told.find("descend: executors inside tasks of executors are nested too deep: this is "
                    "level 10, and COPROC_MAX_DEPTH is 10; the task did not start; let the "
                    "outermost program submit the tasks, or raise COPROC_MAX_DEPTH") !=
          std::string::npos);
}

TEST_CASE("test_max_depth: the limit can be set", "[process][nested]") {
    asio::io_context loop;
    const auto told_with = [&](const char* limit) {
        coproc::executor executor(loop,
                                  {.max_workers = 1, .environment = {{"COPROC_MAX_DEPTH", limit}}});
        auto job = executor.submit(descend, 1);
        test::run(loop);
        return std::move(job).get();
    };
    CHECK(told_with("1").value().starts_with("refused at 1: "));
    CHECK(told_with("3").value().starts_with("refused at 3: "));
    CHECK(told_with("12").value().starts_with("refused at 12: "));
    CHECK(told_with("").value().starts_with("refused at 10: "));
    const auto refused = told_with("deep");
    REQUIRE(refused.has_error());
    CHECK(refused.error() == errc::task_threw);
    CHECK(refused.error().message().find(
              "the environment variable COPROC_MAX_DEPTH is \"deep\"; it must be a whole number of "
              "at least 1") != std::string::npos);
}

TEST_CASE("where executors are too deep, no workers can be started either", "[process][nested]") {
    asio::io_context loop;
    const auto told_with = [&](const char* limit) {
        coproc::executor executor(loop,
                                  {.max_workers = 1, .environment = {{"COPROC_MAX_DEPTH", limit}}});
        auto job = executor.submit(start_workers_here);
        test::run(loop);
        return std::move(job).get().value();
    };
    CHECK(told_with("2") == "started");
    const std::string refused = told_with("1");
    INFO(refused);
    CHECK(refused.starts_with("refused: async_start: "));
    CHECK(refused.find("this is level 1, and COPROC_MAX_DEPTH is 1") != std::string::npos);
}

TEST_CASE("test_kill_process_tree: what ends an outer worker ends all inner ones",
          "[process][nested]") {
    const std::size_t descriptors = test::open_descriptors();
    SECTION("a stranger's SIGKILL") {
        tree t;
        REQUIRE(::kill(t.pids.front(), SIGKILL) == 0);
        test::run(t.loop);
        CHECK(std::move(*t.job).get().error() == errc::worker_terminated);
        CHECK(t.all_end());
    }
    SECTION("a SIGKILL in the middle") {
        tree t;
        REQUIRE(::kill(t.pids[1], SIGKILL) == 0);
        test::run(t.loop);
        // The outer task is told, and throws what it was told.
        CHECK(std::move(*t.job).get().error() == errc::task_threw);
        t.executor.reset();
        CHECK(t.all_end());
    }
    SECTION("a cancellation") {
        tree t;
        t.job->cancel();
        test::run(t.loop);
        CHECK(std::move(*t.job).get().error() == errc::cancelled);
        CHECK(t.all_end());
    }
    SECTION("the executor's destructor") {
        tree t;
        t.executor.reset();
        CHECK(t.all_end());
        test::run(t.loop);
        CHECK(std::move(*t.job).get().error() == errc::executor_shutdown);
    }
    SECTION("test_shutdown_and_kill_workers: a shutdown that kills") {
        tree t;
        std::optional<coproc::shutdown_report> report;
        t.executor->async_shutdown({.mode = shutdown_mode::kill},
                                   [&](coproc::shutdown_report r) { report = r; });
        test::run(t.loop);
        REQUIRE(report);
        CHECK(report->killed_workers == 1);
        CHECK(std::move(*t.job).get().error() == errc::executor_shutdown);
        CHECK(t.all_end());
    }
    CHECK_FALSE(test::has_children());
    CHECK(test::open_descriptors() == descriptors);
}
