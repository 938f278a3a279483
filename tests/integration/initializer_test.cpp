#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/matchers.hpp"
#include "support/meeting.hpp"

#include <coproc/coproc.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

// What workers do before their first task, keep between tasks, and do at their end.

namespace {

using coproc::call;
using coproc::certainty;
using coproc::errc;
using namespace std::chrono_literals;

/// Something dear, as a model.
struct model {
    std::string path;
    int uses = 0;
};

void load_model(const std::string& path) { coproc::this_worker::local<model>(path); }
int append_to_model(const std::string& more) {
    coproc::this_worker::local<model>().path += more;
    return 1; // which nobody reads
}
std::string use_model() {
    model& m = coproc::this_worker::local<model>("made by a task");
    return m.path + ' ' + std::to_string(++m.uses);
}
void refuse(int n) { throw std::out_of_range("no model " + std::to_string(n)); }
void kill_oneself() { std::raise(SIGKILL); }
void leave() { std::_Exit(3); }
void hang() {
    for (;;) {
        ::pause();
    }
}
void hang_awhile(const std::string& name) { test::visit(name).await_leave(); }
int pid_of_worker() { return ::getpid(); }

asio::awaitable<void> in_order_once_each() {
    const auto loop = co_await asio::this_coro::executor;
    const coproc::executor_options options{
        .max_workers = 1, .initializers = {call(load_model, "a"), call(append_to_model, "b")}};
    coproc::executor executor(loop, options);
    for (int i = 1; i <= 3; ++i) {
        const auto got = co_await executor.submit(use_model);
        CHECK(got.value() == "ab " + std::to_string(i));
    }
}

asio::awaitable<void> after_a_crash() {
    const auto loop = co_await asio::this_coro::executor;
    const coproc::executor_options options{.max_workers = 1,
                                           .initializers = {call(load_model, "a")}};
    coproc::executor executor(loop, options);
    const auto first = co_await executor.submit(use_model);
    CHECK(first.value() == "a 1");
    const auto killed = co_await executor.submit(kill_oneself);
    CHECK(killed.error() == errc::worker_terminated);
    const auto again = co_await executor.submit(use_model);
    CHECK(again.value() == "a 1");
}

/// Whatever an initializer does: an error that says so, an end to it, and what it costs.
asio::awaitable<void> fails(call bad, std::string says, coproc::duration at_most) {
    const auto loop = co_await asio::this_coro::executor;
    const coproc::executor_options options{.max_workers = 2,
                                           .initializers = {call(load_model, "a"), bad},
                                           .initializer_timeout = at_most,
                                           .max_failed_starts = 3};
    coproc::executor executor(loop, options);
    auto other = executor.submit(use_model);
    const auto got = co_await executor.submit(use_model);
    CHECK(got.error() == errc::initializer_failed);
    CHECK(got.error().certainty() == certainty::not_started);
    INFO(got.error().message());
    CHECK_THAT(got.error().message(), test::contains_text("initializer 2 of 2"));
    CHECK_THAT(got.error().message(), test::contains_text(says));
    const auto too = co_await std::move(other);
    CHECK(too.error() == errc::initializer_failed);
    const auto later = co_await executor.submit(use_model);
    CHECK(later.error() == errc::executor_broken);
    CHECK_THAT(later.error().message(), test::contains_text(says));
    CHECK(executor.stats().started_workers <= 4);
}

asio::awaitable<void> slow_one() {
    const auto loop = co_await asio::this_coro::executor;
    test::meeting meeting(loop);
    const coproc::executor_options options{.max_workers = 1,
                                           .initializers = {call(hang_awhile, meeting.name())}};
    coproc::executor executor(loop, options);
    auto job = executor.submit(pid_of_worker);
    auto other = co_await meeting.arrival();
    CHECK(executor.stats().starting_workers == 1);
    CHECK(job.state() == coproc::job_state::queued);
    other.close();
    const auto got = co_await std::move(job);
    CHECK(got.has_value());
}

int append_line(const std::string& file, const std::string& line) {
    std::ofstream(file, std::ios::app) << line << '\n';
    return 0;
}

struct tells {
    std::string file;
    explicit tells(std::string f) : file(std::move(f)) {}
    tells(const tells&) = delete;
    ~tells() { append_line(file, "destroyed"); }
};

void prepare_end(const std::string& file) {
    coproc::this_worker::local<tells>(file);
    coproc::this_worker::on_exit([file] { append_line(file, "first"); });
    coproc::this_worker::on_exit([file] {
        append_line(file, "second");
        throw std::runtime_error("ignored");
    });
}

std::vector<std::string> lines_of(const std::string& file) {
    std::ifstream in(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

std::string new_file() {
    std::string name = "/tmp/coproc-exit-XXXXXX";
    ::close(::mkstemp(name.data()));
    return name;
}

asio::awaitable<void> ends() {
    const auto loop = co_await asio::this_coro::executor;
    const std::string file = new_file();
    coproc::executor executor(loop, {.max_workers = 1});
    const auto got = co_await executor.submit(prepare_end, file);
    CHECK(got.has_value());
    const auto report = co_await executor.async_shutdown();
    CHECK(report.killed_workers == 0);
    CHECK(lines_of(file) == std::vector<std::string>{"second", "first", "destroyed"});
    ::unlink(file.c_str());
}

asio::awaitable<void> hook_that_hangs() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1, .exit_timeout = 50ms});
    const auto got = co_await executor.submit([] { coproc::this_worker::on_exit([] { hang(); }); });
    CHECK(got.has_value());
    const auto report = co_await executor.async_shutdown();
    CHECK(report.killed_workers == 1);
}

std::string outside() {
    std::string what;
    std::thread([&] {
        try {
            coproc::this_worker::local<model>();
        } catch (const std::logic_error& error) {
            what = error.what();
        }
    }).join();
    return what;
}

int age_of_worker() { return ++coproc::this_worker::local<int>(0); }
int age_and_retire() {
    coproc::this_worker::retire();
    return age_of_worker();
}

/// None of the tasks that were sent to the worker after the one that retires it is run there.
asio::awaitable<void> retiring() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    for (int round = 0; round < 20; ++round) {
        auto retires = executor.submit(age_and_retire);
        std::vector<coproc::job<int>> after;
        for (int i = 0; i < 5; ++i) {
            after.push_back(executor.submit(age_of_worker));
        }
        const auto last = co_await std::move(retires);
        CHECK(last.value() == (round == 0 ? 1 : 6));
        for (int i = 0; i < 5; ++i) {
            const auto got = co_await std::move(after[static_cast<std::size_t>(i)]);
            CHECK(got.value() == i + 1);
        }
    }
    CHECK(executor.stats().started_workers == 21);
    CHECK(executor.stats().crashed_workers == 0);
}

} // namespace

TEST_CASE("initializers run once a worker, in their order, before its tasks", "[initializers]") {
    test::run(in_order_once_each());
}

TEST_CASE("a worker that replaces another one is initialised, too", "[initializers][process]") {
    test::run(after_a_crash());
}

TEST_CASE("a task waits for the initializer of its worker", "[initializers]") {
    test::run(slow_one());
}

TEST_CASE("an initializer that throws is told with its text", "[initializers]") {
    test::run(fails(call(refuse, 7), "it threw std::out_of_range: no model 7", coproc::no_limit));
}

TEST_CASE("an initializer that ends its worker is told", "[initializers][process]") {
    test::run(fails(call(kill_oneself), "was killed by SIGKILL", coproc::no_limit));
    test::run(fails(call(leave), "exited with status 3", coproc::no_limit));
}

TEST_CASE("an initializer that takes too long is told", "[initializers][process]") {
    test::run(fails(call(hang), "did not end in time", 50ms));
}

TEST_CASE("an initializer that is not there is told", "[initializers]") {
    test::run(fails(call(coproc::named<void()>("nobody")), "nobody", coproc::no_limit));
}

TEST_CASE("calls are equal if their bytes are", "[initializers]") {
    CHECK(call(load_model, "a") == call(load_model, std::string("a")));
    CHECK_FALSE(call(load_model, "a") == call(load_model, "b"));
    CHECK_FALSE(call(load_model, "a") == call(append_to_model, "a"));
    CHECK(call(coproc::named<void(int)>("x"), 1) == call(coproc::named<void(int)>("x"), 1));
    CHECK_FALSE(call(coproc::named<void(int)>("x"), 1) == call(coproc::named<void(int)>("y"), 1));
}

TEST_CASE("a worker that leaves runs its hooks and destroys what is local", "[initializers]") {
    test::run(ends());
}

TEST_CASE("a worker whose hooks do not end is killed", "[initializers][process]") {
    test::run(hook_that_hangs());
}

TEST_CASE("other threads have nothing of the worker", "[initializers]") {
    CHECK_THROWS_AS(coproc::this_worker::local<model>(), std::logic_error);
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto job = executor.submit(outside);
    test::run(loop);
    CHECK_THAT(std::move(job).get().value(), test::contains_text("this_worker"));
}

TEST_CASE("an initializer cannot have its worker replaced", "[initializers]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1, .initializers = {call(age_and_retire)}});
    auto job = executor.submit(age_of_worker);
    test::run(loop);
    CHECK(std::move(job).get().value() == 2);
    CHECK(executor.stats().started_workers == 1);
}

TEST_CASE("a task may have its worker replaced after it", "[initializers]") {
    test::run(retiring());
}
