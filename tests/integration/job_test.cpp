#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"

#include <coproc/coproc.hpp>
#include <coproc/wait.hpp>

#include <future>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

// What loky's tests ask of futures, asked of jobs: handlers, cancellation, waits, in each state.

namespace {

using coproc::certainty;
using coproc::errc;
using coproc::job_state;
using coproc::wait_condition;
using namespace std::chrono_literals;
using result = coproc::result<int>;

int same(int n) { return n; }
int fail(int) { throw std::domain_error("no"); }
int stay(const std::string& name) {
    test::visit(name).await_leave();
    return 5;
}
int stay_and_fail(const std::string& name) {
    test::visit(name).await_leave();
    throw std::domain_error("no");
}

/// What the handler of a job is given, once the loop has no more to do.
template <class... Args>
result handed(Args... args) {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    std::optional<result> got;
    executor.submit(args...)([&](result r) { got = r; });
    test::run(loop);
    REQUIRE(got);
    return *got;
}

/// What a handler is given that is attached when all is over.
template <class Prepare>
result handed_late(Prepare prepare) {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    coproc::job<int> job = prepare(executor);
    test::run(loop);
    REQUIRE(job.ready());
    std::optional<result> got;
    std::move(job)([&](result r) { got = r; });
    CHECK_FALSE(got); // never from inside
    test::run(loop);
    REQUIRE(got);
    return *got;
}

/// One job in each state, of an executor with one worker.
struct every_state {
    asio::io_context meetings;
    coproc::executor executor{coproc::own_thread, {.max_workers = 1}};
    test::meeting meeting{meetings};
    coproc::job<int> successful = executor.submit(same, 42);
    coproc::job<int> failed = executor.submit(fail, 1);
    coproc::job<int> running = executor.submit({.grace = coproc::no_limit}, stay, meeting.name());
    coproc::job<int> pending = executor.submit(same, 43);
    coproc::job<int> cancelled = executor.submit(same, 44);
    test::meeting_socket other = meeting.await_arrival();

    every_state() {
        cancelled.cancel();
        for (auto* job : {&successful, &failed}) {
            std::promise<void> done;
            job->async_wait([&] { done.set_value(); });
            done.get_future().get();
        }
    }
    std::vector<coproc::job<int>*> all() {
        return {&pending, &running, &cancelled, &failed, &successful};
    }
};

/// A thread that waits for a job, and another task's end that it is woken by.
template <class Act>
result woken_by(int (*function)(const std::string&), Act act) {
    asio::io_context meetings;
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    test::meeting meeting(meetings);
    std::vector<coproc::job<int>> one;
    one.push_back(executor.submit({.grace = coproc::no_limit}, function, meeting.name()));
    auto other = meeting.await_arrival();
    bool met = false;
    std::thread waiter([&] { met = coproc::wait(one, wait_condition::all_completed); });
    act(one.front(), other);
    waiter.join();
    CHECK(met);
    CHECK(one.front().ready());
    return std::move(one.front()).get();
}

void let_go(coproc::job<int>&, test::meeting_socket& other) { other.close(); }

/// How long a caller is willing to wait for the value or for the exception.
bool there_within(coproc::job<int>& job, coproc::duration time) {
    std::vector<coproc::job<int>> one;
    one.push_back(std::move(job));
    const bool met = coproc::wait(one, wait_condition::all_completed, time);
    job = std::move(one.front());
    return met;
}

} // namespace

TEST_CASE("test_done_callback_with_result: a handler is given the value", "[job]") {
    CHECK(handed(same, 5).value() == 5);
}

TEST_CASE("test_done_callback_with_exception: a handler is given the exception", "[job]") {
    const result got = handed(fail, 1);
    CHECK(got.error() == errc::task_threw);
    CHECK_THROWS_AS(got.value(), std::domain_error);
}

TEST_CASE("test_done_callback_with_cancel: a handler is told of a cancellation", "[job]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto job = executor.submit(same, 1);
    int waits = 0;
    job.async_wait([&] { ++waits; });
    job.cancel();
    CHECK(waits == 0); // never from inside
    std::optional<result> got;
    std::move(job)([&](result r) { got = r; });
    test::run(loop);
    CHECK(waits == 1);
    REQUIRE(got);
    CHECK(got->error() == errc::cancelled);
}

TEST_CASE("test_done_callback_raises: what a handler throws leaves through run, and the next one "
          "is called",
          "[job]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto job = executor.submit(same, 5);
    bool raising = false;
    bool next = false;
    job.async_wait([&] {
        raising = true;
        throw std::domain_error("of the handler");
    });
    job.async_wait([&] { next = true; });
    CHECK_THROWS_WITH(test::run(loop), "of the handler");
    test::run(loop);
    CHECK(raising);
    CHECK(next);
    CHECK(std::move(job).get().value() == 5);
}

TEST_CASE("test_done_callback_already_successful: a late handler is given the value", "[job]") {
    const auto got = handed_late([](auto& executor) { return executor.submit(same, 5); });
    CHECK(got.value() == 5);
}

TEST_CASE("test_done_callback_already_failed: a late handler is given the exception", "[job]") {
    const auto got = handed_late([](auto& executor) { return executor.submit(fail, 5); });
    CHECK_THROWS_AS(got.value(), std::domain_error);
}

TEST_CASE("test_done_callback_already_cancelled: a late handler is told of it", "[job]") {
    const auto got = handed_late([](auto& executor) {
        auto job = executor.submit(same, 5);
        job.cancel();
        return job;
    });
    CHECK(got.error() == errc::cancelled);
}

TEST_CASE("test_cancel: all but what is done can be cancelled, also what runs", "[job]") {
    every_state jobs;
    for (auto* job : jobs.all()) {
        job->cancel();
        job->cancel(asio::cancellation_type::total);
        CHECK(job->ready());
    }
    const result pending = std::move(jobs.pending).get();
    CHECK(pending.error() == errc::cancelled);
    CHECK(pending.error().certainty() == certainty::not_started);
    const result running = std::move(jobs.running).get();
    CHECK(running.error() == errc::cancelled);
    CHECK(running.error().certainty() == certainty::may_have_run);
    CHECK(std::move(jobs.cancelled).get().error() == errc::cancelled);
    CHECK(std::move(jobs.failed).get().error() == errc::task_threw);
    CHECK(std::move(jobs.successful).get().value() == 42);
}

TEST_CASE("test_cancelled: only what was cancelled says so", "[job]") {
    every_state jobs;
    jobs.other.close(); // what runs ends, and what waits is run
    int cancelled = 0;
    for (auto* job : jobs.all()) {
        const bool expected = job == &jobs.cancelled;
        const result got = std::move(*job).get();
        CHECK((got.has_error() && got.error() == errc::cancelled) == expected);
        cancelled += expected;
    }
    CHECK(cancelled == 1);
}

TEST_CASE("test_done: what is cancelled, failed or has its value is ready", "[job]") {
    every_state jobs;
    for (auto* job : jobs.all()) {
        const bool done = job != &jobs.pending && job != &jobs.running;
        CHECK(job->ready() == done);
        CHECK((job->state() == job_state::done) == done);
    }
}

TEST_CASE("test_running: only what a worker has begun is running", "[job]") {
    every_state jobs;
    for (auto* job : jobs.all()) {
        CHECK((job->state() == job_state::running) == (job == &jobs.running));
    }
    CHECK(jobs.pending.state() == job_state::queued); // though it may lie in the worker's pipe
}

TEST_CASE("test_result_with_timeout: a wait for a value may end before it is there", "[job]") {
    every_state jobs;
    for (const coproc::duration time : {coproc::duration(0), coproc::duration(1ms)}) {
        CHECK_FALSE(there_within(jobs.pending, time));
        CHECK_FALSE(there_within(jobs.running, time));
        CHECK(there_within(jobs.cancelled, time));
        CHECK(there_within(jobs.failed, time));
        CHECK(there_within(jobs.successful, time));
    }
    CHECK(std::move(jobs.successful).get().value() == 42);
    CHECK(std::move(jobs.cancelled).get().error() == errc::cancelled);
    CHECK_THROWS_AS(std::move(jobs.failed).get().value(), std::domain_error);
    jobs.other.close(); // the waits have touched nothing
    CHECK(std::move(jobs.running).get().value() == 5);
    CHECK(std::move(jobs.pending).get().value() == 43);
}

TEST_CASE("test_exception_with_timeout: a wait for an exception may end before it is there",
          "[job]") {
    every_state jobs;
    for (const coproc::duration time : {coproc::duration(0), coproc::duration(1ms)}) {
        CHECK_FALSE(there_within(jobs.pending, time));
        CHECK_FALSE(there_within(jobs.running, time));
        CHECK(there_within(jobs.cancelled, time));
        CHECK(there_within(jobs.failed, time));
        CHECK(there_within(jobs.successful, time));
    }
    const result cancelled = std::move(jobs.cancelled).get();
    REQUIRE(cancelled.has_error());
    CHECK(cancelled.error() == errc::cancelled);
    CHECK(cancelled.error().exception() == nullptr);
    const result failed = std::move(jobs.failed).get();
    REQUIRE(failed.has_error());
    CHECK_THROWS_AS(std::rethrow_exception(failed.error().exception()), std::domain_error);
    CHECK_FALSE(std::move(jobs.successful).get().has_error());
    jobs.other.close(); // the waits have touched nothing
    CHECK_FALSE(std::move(jobs.running).get().has_error());
    CHECK_FALSE(std::move(jobs.pending).get().has_error());
}

TEST_CASE("test_result_with_success: a value wakes the thread that waits for it", "[job]") {
    CHECK(woken_by(stay, let_go).value() == 5);
}

TEST_CASE("test_result_with_cancel: a cancellation wakes the thread that waits", "[job]") {
    const auto cancel = [](coproc::job<int>& job, test::meeting_socket&) { job.cancel(); };
    CHECK(woken_by(stay, cancel).error() == errc::cancelled);
}

TEST_CASE("a job may be cancelled while another thread is in its get", "[job]") {
    asio::io_context meetings;
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    test::meeting meeting(meetings);
    auto job = executor.submit({.grace = coproc::no_limit}, stay, meeting.name());
    std::optional<result> got;
    std::thread taker([&] { got = std::move(job).get(); });
    auto other = meeting.await_arrival();
    job.cancel(); // whether it is in get by now or not
    taker.join();
    CHECK(got->error() == errc::cancelled);
}

TEST_CASE("test_exception_with_success: an exception wakes the thread that waits", "[job]") {
    const result got = woken_by(stay_and_fail, let_go);
    CHECK(got.error() == errc::task_threw);
    CHECK_THROWS_AS(got.value(), std::domain_error);
}
