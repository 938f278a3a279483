#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"
#include "support/watcher.hpp"

#include <coproc/coproc.hpp>
#include <coproc/map.hpp>
#include <coproc/wait.hpp>

#include <asio/detached.hpp>
#include <asio/thread_pool.hpp>

#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// What an executor tells its observer, how and when.

namespace {

using coproc::certainty;
using coproc::errc;
using coproc::event;
using namespace std::chrono_literals;
using test::watcher;

int same(int n) { return n; }
int own_pid() { return ::getpid(); }
int refuse(int) { throw std::runtime_error("no"); }
int crash(int) {
    ::raise(SIGKILL);
    return 0;
}
int stay(const std::string& name) {
    test::visit(name).await_leave();
    return 1;
}

asio::awaitable<void> life(watcher& seen) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .observer = seen.observer()});
    auto named = executor.submit({.name = "first"}, own_pid);
    const auto id = named.id();
    const auto pid = co_await std::move(named);
    auto other = executor.submit(refuse, 2);
    const auto other_id = other.id();
    const auto refused = co_await std::move(other);
    CHECK(refused.error() == errc::task_threw);
    co_await executor.async_shutdown({}, asio::use_awaitable);

    // All of it is told before the shutdown's handler is called.
    CHECK(seen.kinds() == "queued started ready staged done queued staged done ended");
    CHECK(seen.times_ascend());
    const auto& queued = seen.at<coproc::task_queued>(0);
    CHECK(queued.task.id == id);
    CHECK(queued.why == coproc::queue_reason::submitted);
    CHECK(seen.name_of(0) == "first");
    const auto& started = seen.at<coproc::worker_started>(0);
    CHECK(started.worker.number == 1);
    CHECK(started.worker.slot == 0);
    CHECK(started.worker.pid == pid.value());
    CHECK(seen.at<coproc::worker_ready>(0).worker.pid == pid.value());
    const auto& staged = seen.at<coproc::task_staged>(0);
    CHECK(staged.task.id == id);
    CHECK(staged.worker.number == 1);
    const auto& done = seen.at<coproc::task_done>(0);
    CHECK(done.task.id == id);
    REQUIRE(done.worker);
    CHECK(done.worker->pid == pid.value());
    CHECK_FALSE(done.error);
    CHECK(done.certainty == certainty::ran);
    const auto& failed = seen.at<coproc::task_done>(1);
    CHECK(failed.task.id == other_id);
    CHECK(failed.error == errc::task_threw);
    CHECK(failed.certainty == certainty::ran);
    const auto& ended = seen.at<coproc::worker_ended>(0);
    CHECK(ended.worker.number == 1);
    CHECK(ended.worker.pid == pid.value());
    CHECK(ended.ready);
    CHECK_FALSE(ended.killed);
    CHECK_FALSE(ended.signal);
    CHECK((pid.value() == ::getpid() ? !ended.status : ended.status == 0));
}

asio::awaitable<void> death(watcher& seen) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .observer = seen.observer()});
    const auto got = co_await executor.submit(crash, 1);
    CHECK(got.error() == errc::worker_terminated);
    CHECK(seen.kinds() == "queued started ready staged crashed done ended");
    const auto& done = seen.at<coproc::task_done>(0);
    CHECK(done.error == errc::worker_terminated);
    CHECK(done.certainty == certainty::may_have_run);
    const auto& ended = seen.at<coproc::worker_ended>(0);
    CHECK(ended.ready);
    CHECK_FALSE(ended.killed);
    CHECK(ended.signal == SIGKILL);
    CHECK_FALSE(ended.status);
    CHECK(seen.at<coproc::worker_crashed>(0).worker.pid == ended.worker.pid);
}

asio::awaitable<void> sizes(watcher& seen) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(
        loop, {.max_workers = 2, .max_tasks_per_worker = 1, .observer = seen.observer()});
    for (int i = 0; i < 2; ++i) {
        const auto got = co_await executor.submit(same, i);
        CHECK(got.value() == i);
    }
    executor.resize(1);
    co_await executor.async_shutdown({}, asio::use_awaitable);
    const auto retired = seen.all<coproc::worker_retired>();
    REQUIRE(retired.size() >= 2);
    CHECK(retired[0].reason == coproc::retire_reason::tasks);
    CHECK(retired[0].worker.number == 1);
    CHECK(retired[1].reason == coproc::retire_reason::tasks);
    const auto resized = seen.all<coproc::executor_resized>();
    REQUIRE(resized.size() == 1);
    CHECK(resized[0].from == 2);
    CHECK(resized[0].to == 1);
    CHECK(seen.all<coproc::worker_started>().size() == seen.all<coproc::worker_ended>().size());
    CHECK(seen.all<coproc::worker_crashed>().empty());
}

asio::awaitable<void> chunk(watcher& seen) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .observer = seen.observer()});
    const std::vector<int> range{1, 2, 3, 4};
    auto stream = executor.map({.chunk_size = 4}, refuse, range);
    while (auto next = co_await stream.async_next(asio::use_awaitable)) {
        CHECK(next->error() == errc::task_threw);
    }
    const auto done = seen.all<coproc::task_done>();
    REQUIRE(done.size() == 1);
    CHECK_FALSE(done[0].error); // which each element has for itself
}

/// What the observer is told of failures that nobody else sees.
std::vector<errc> detached_failures(const watcher& seen) {
    std::vector<errc> codes;
    for (const auto& failed : seen.all<coproc::detached_failed>()) {
        codes.push_back(static_cast<errc>(failed.why.code().value()));
    }
    return codes;
}

} // namespace

TEST_CASE("the life of a worker and of its tasks is told in its order", "[events]") {
    watcher seen;
    test::run(life(seen));
}

TEST_CASE("the death of a worker is told, and how it ended", "[process][events]") {
    watcher seen;
    test::run(death(seen));
}

TEST_CASE("workers that are let go are told with the reason, and sizes", "[events]") {
    watcher seen;
    test::run(sizes(seen));
}

TEST_CASE("a chunk is one task to the observer", "[events]") {
    watcher seen;
    test::run(chunk(seen));
}

TEST_CASE("workers that do not start are told", "[process][events][executable]") {
    asio::io_context loop;
    watcher seen;
    SECTION("no process") {
        coproc::executor executor(loop, {.max_workers = 1,
                                         .executable = "/nowhere",
                                         .max_failed_starts = 2,
                                         .observer = seen.observer()});
        executor.submit(same, 1).detach();
        test::run(loop);
        CHECK(seen.kinds() == "queued start_failed start_failed done detached_failed");
        CHECK(seen.at<coproc::worker_start_failed>(0).code == errc::spawn_failed);
        CHECK(seen.at<coproc::worker_start_failed>(0).worker.pid == 0);
        CHECK_FALSE(seen.at<coproc::task_done>(0).worker);
        CHECK(seen.at<coproc::task_done>(0).error == errc::spawn_failed);
    }
    SECTION("one that is no worker") {
        coproc::executor executor(loop, {.max_workers = 1,
                                         .executable = "/bin/true",
                                         .max_failed_starts = 1,
                                         .observer = seen.observer()});
        executor.submit(same, 1).detach();
        test::run(loop);
        if (coproc::default_start_method() == coproc::start_method::forkserver) {
            // It was no zygote either, and there was no worker.
            CHECK(seen.kinds() == "queued start_failed done detached_failed");
            CHECK(seen.at<coproc::worker_start_failed>(0).code == errc::handshake_failed);
            return;
        }
        CHECK(seen.kinds() == "queued started ended done detached_failed");
        CHECK_FALSE(seen.at<coproc::worker_ended>(0).ready);
        CHECK(seen.at<coproc::worker_ended>(0).status == 0);
        CHECK(seen.at<coproc::worker_ended>(0).worker.pid ==
              seen.at<coproc::worker_started>(0).worker.pid);
    }
}

TEST_CASE("the failure of a detached job goes to the observer", "[events]") {
    asio::io_context loop;
    watcher seen;
    coproc::executor executor(loop,
                              {.max_workers = 1, .max_queued = 1, .observer = seen.observer()});
    executor.submit({.name = "it"}, refuse, 1).detach();
    executor.submit(same, 1).detach(); // the queue is full: refused before it was detached
    auto kept = executor.submit(refuse, 1);
    test::run(loop);
    CHECK(detached_failures(seen) == std::vector{errc::queue_full, errc::task_threw});
    REQUIRE(kept.ready());
    std::move(kept).detach(); // refused, too
    executor.submit(same, 1).detach();
    auto dropped = std::make_optional(executor.submit(refuse, 1));
    dropped.reset();
    test::run(loop);
    CHECK(detached_failures(seen) ==
          std::vector{errc::queue_full, errc::task_threw, errc::queue_full});
    auto late = executor.submit(refuse, 1);
    test::run(loop);
    std::move(late).detach();
    CHECK(seen.all<coproc::detached_failed>().size() == 3); // not from inside detach
    test::run(loop);
    CHECK(detached_failures(seen).back() == errc::task_threw);
    const auto told = seen.all<coproc::detached_failed>();
    REQUIRE(told.size() == 4);
    CHECK(told[1].why.certainty() == certainty::ran);
    CHECK(told[1].why.exception() != nullptr);
    CHECK(told[1].why.message().find("it") != std::string::npos);
    executor.stop();
    executor.submit(same, 1).detach();
    test::run(loop);
    CHECK(detached_failures(seen).back() == errc::executor_shutdown);
}

TEST_CASE("a job whose result a stream reads is not detached", "[events]") {
    asio::io_context loop;
    watcher seen;
    coproc::executor executor(loop, {.max_workers = 1, .observer = seen.observer()});
    std::vector<coproc::job<int>> jobs;
    jobs.push_back(executor.submit(refuse, 1));
    test::run(loop); // it has failed
    jobs.push_back(executor.submit(refuse, 1));
    auto results = coproc::as_completed(std::move(jobs));
    test::run(loop);
    for (int i = 0; i < 2; ++i) {
        const auto next = results.next();
        REQUIRE(next);
        CHECK(next->error() == errc::task_threw);
    }
    CHECK(detached_failures(seen).empty());
}

TEST_CASE("the observer is called by the loop alone, with many events for one post", "[events]") {
    asio::io_context loop;
    watcher seen;
    coproc::executor executor(loop, {.max_workers = 1, .observer = seen.observer()});
    std::vector<coproc::job<int>> jobs;
    for (int i = 0; i < 1000; ++i) {
        jobs.push_back(executor.submit(same, i));
    }
    jobs[500].cancel();
    executor.resize(2);
    CHECK(seen.kinds().empty());
    int turns = 0;
    while (seen.all<coproc::task_queued>().size() < 1000 && loop.poll_one() == 1) {
        ++turns;
    }
    CHECK(seen.all<coproc::task_queued>().size() == 1000);
    CHECK(turns <= 2); // the other one starts a worker
    test::run(loop);
    CHECK(seen.all<coproc::task_done>().size() == 1000);
    const std::size_t told = seen.size();
    executor.stop();
    CHECK(seen.size() == told);
}

TEST_CASE("what the observer throws leaves through run, and the next event is told", "[events]") {
    asio::io_context loop;
    watcher seen;
    coproc::executor executor(loop, {.max_workers = 1, .observer = [&](const event& e) {
                                         seen(e);
                                         throw std::runtime_error("thrown by the observer");
                                     }});
    auto job = executor.submit(same, 1);
    std::size_t thrown = 0;
    for (bool over = false; !over;) {
        try {
            test::run(loop);
            over = true;
        } catch (const std::runtime_error& error) {
            ++thrown;
            CHECK(seen.size() == thrown); // each once
        }
    }
    CHECK(seen.kinds() == "queued started ready staged done");
    CHECK(thrown == 5);
    CHECK(std::move(job).get().value() == 1);
}

TEST_CASE("the observer may submit and cancel, and one call ends before the next", "[events]") {
    asio::io_context loop;
    std::optional<coproc::executor> executor;
    int depth = 0;
    bool nested = false;
    int submitted = 0;
    executor.emplace(
        loop, coproc::executor_options{.max_workers = 2, .observer = [&](const event& e) {
                                           nested = nested || depth > 0;
                                           ++depth;
                                           if (std::holds_alternative<coproc::task_done>(e) &&
                                               ++submitted < 20) {
                                               executor->submit(same, submitted).detach();
                                               executor->submit(refuse, 1).cancel();
                                           }
                                           loop.poll_one(); // a loop inside of the loop
                                           --depth;
                                       }});
    executor->submit(same, 0).detach();
    test::run(loop);
    CHECK(submitted >= 20);
    CHECK_FALSE(nested);
}

TEST_CASE("no event is told after the end of the executor", "[events]") {
    const std::size_t descriptors = test::open_descriptors();
    std::size_t told = 0;
    SECTION("by the observer itself, at each event of a history") {
        for (std::size_t last = 1; last <= 5; ++last) {
            asio::io_context loop;
            std::optional<coproc::executor> executor;
            told = 0;
            executor.emplace(
                loop, coproc::executor_options{.max_workers = 1, .observer = [&](const event&) {
                                                   if (++told == last) {
                                                       executor.reset();
                                                   }
                                               }});
            auto job = executor->submit(same, 1);
            test::run(loop);
            CHECK_FALSE(executor);
            CHECK(told == last);
            CHECK(job.ready());
        }
    }
    SECTION("with events that wait") {
        asio::io_context loop;
        {
            coproc::executor executor(
                loop, {.max_workers = 1, .observer = [&](const event&) { ++told; }});
            executor.submit(same, 1).detach();
            executor.stop();
        }
        test::run(loop);
        CHECK(told == 0);
    }
    SECTION("with the loop") {
        std::optional<coproc::executor> executor;
        std::optional<coproc::job<int>> job;
        {
            asio::io_context loop;
            executor.emplace(loop,
                             coproc::executor_options{.max_workers = 1,
                                                      .observer = [&](const event&) { ++told; }});
            job = executor->submit(same, 1);
        }
        std::move(*job).detach();
        executor->submit(same, 1).detach();
        executor.reset();
        CHECK(told == 0);
    }
    SECTION("after a throw, with the rest untold") {
        asio::io_context loop;
        {
            coproc::executor executor(loop, {.max_workers = 1, .observer = [&](const event&) {
                                                 ++told;
                                                 throw 1;
                                             }});
            executor.submit(same, 1).detach();
            executor.submit(same, 2).detach();
            CHECK_THROWS_AS(loop.run(), int);
        }
        test::run(loop);
        CHECK(told == 1);
    }
    CHECK_FALSE(test::has_children());
    CHECK(test::descriptors_settle(descriptors));
}

TEST_CASE("a stop is told, and what waits while the loop is stopped", "[process][events]") {
    asio::io_context loop;
    watcher seen;
    coproc::executor executor(loop, {.max_workers = 1, .observer = seen.observer()});
    test::meeting meeting(loop);
    auto job = executor.submit(stay, meeting.name());
    asio::co_spawn(
        loop,
        [&]() -> asio::awaitable<void> {
            auto other = co_await meeting.arrival();
            loop.stop();
            executor.stop();
        },
        asio::detached);
    loop.run();
    CHECK(seen.kinds() == "queued started ready staged");
    test::run(loop);
    CHECK(seen.kinds() == "queued started ready staged done"); // the worker is nobody's any more
    CHECK(seen.at<coproc::task_done>(0).error == errc::executor_shutdown);
    CHECK(seen.at<coproc::task_done>(0).certainty == certainty::may_have_run);
}

TEST_CASE("on a loop of several threads, too, one call comes after the other",
          "[events][threads]") {
    constexpr int count = 500;
    watcher seen;
    std::atomic<int> at_a_time = 0;
    std::atomic<bool> together = false;
    asio::thread_pool loop(3);
    {
        coproc::executor executor(loop.get_executor(),
                                  {.max_workers = 2, .observer = [&](const event& e) {
                                       together = together || ++at_a_time > 1;
                                       seen(e);
                                       --at_a_time;
                                   }});
        std::vector<coproc::job<int>> jobs;
        for (int i = 0; i < count; ++i) {
            jobs.push_back(executor.submit(same, i));
        }
        for (auto& job : jobs) {
            static_cast<void>(std::move(job).get());
        }
        executor.async_shutdown({}, asio::detached);
        loop.join();
    }
    CHECK_FALSE(together);
    CHECK(seen.times_ascend());
    CHECK(seen.tasks_in_order());
    CHECK(seen.all<coproc::task_done>().size() == count);
}

TEST_CASE("an executor with an own thread tells in it, and nothing after its end",
          "[events][threads]") {
    for (int round = 0; round < 20; ++round) {
        std::atomic<int> told = 0;
        {
            coproc::executor executor(
                coproc::own_thread, {.max_workers = 1, .observer = [&](const event&) { ++told; }});
            static_cast<void>(executor.submit(same, 1).get());
            executor.submit(same, 2).detach();
        }
        const int before = told;
        std::this_thread::yield();
        CHECK(told == before);
    }
}
