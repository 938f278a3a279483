#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/matchers.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"

#include <coproc/codecs/string.hpp>
#include <coproc/codecs/vector.hpp>
#include <coproc/coproc.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

// Workers that are forked by a process which has prepared what they share.

namespace {

using coproc::call;
using coproc::certainty;
using coproc::errc;
using coproc::start_method;
using namespace std::chrono_literals;

/// What takes long to build.
struct model {
    std::string path;
    int built_by = ::getpid();
    int uses = 0;
};

void load_model(const std::string& path) { coproc::this_worker::local<model>(model{.path = path}); }
void append_to_model(const std::string& more) { coproc::this_worker::local<model>().path += more; }

struct sight {
    std::string path;
    int zygote = 0;
    int worker = 0;
    int parent = 0;
    int group = 0;
    int uses = 0;
};

sight use_model() {
    model& m = coproc::this_worker::local<model>(model{.path = "made by a task"});
    return {m.path, m.built_by, ::getpid(), ::getppid(), ::getpgrp(), ++m.uses};
}
sight use_model_when_let(const std::string& meeting) {
    test::visit(meeting).await_leave();
    return use_model();
}

coproc::executor_options options_with(std::vector<call> preload) {
    return {.max_workers = 2, .start = start_method::forkserver, .preload = std::move(preload)};
}

/// Two workers at a time, so there are two.
asio::awaitable<std::pair<sight, sight>> look_at_two(coproc::executor& executor) {
    test::meeting meeting(executor.get_executor());
    auto first = executor.submit(use_model_when_let, meeting.name());
    auto first_stays = co_await meeting.arrival();
    auto second = executor.submit(use_model_when_let, meeting.name());
    auto second_stays = co_await meeting.arrival();
    first_stays.close();
    second_stays.close();
    auto one = co_await std::move(first);
    auto other = co_await std::move(second);
    co_return std::pair(one.value(), other.value());
}

asio::awaitable<void> built_once() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop,
                              options_with({call(load_model, "a"), call(append_to_model, "b")}));
    const auto [one, other] = co_await look_at_two(executor);
    CHECK(one.path == "ab");
    CHECK(other.path == "ab");
    CHECK(one.zygote == other.zygote);
    CHECK(one.worker != other.worker);
    CHECK(one.worker != one.zygote);
    CHECK(one.zygote != ::getpid());
    CHECK(one.uses == 1); // each has a copy
    CHECK(other.uses == 1);
    for (const sight& each : {one, other}) {
        CHECK(each.parent == ::getpid());
        CHECK(each.group == each.worker);
    }
    CHECK(executor.stats().started_workers == 2); // the zygote is none
}

asio::awaitable<void> zygote_is_killed() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, options_with({call(load_model, "a")}));
    test::meeting meeting(loop);
    auto staying = executor.submit(use_model_when_let, meeting.name());
    auto stays = co_await meeting.arrival();
    auto before = executor.submit(use_model_when_let, meeting.name());
    auto goes = co_await meeting.arrival();
    goes.close();
    const sight seen = (co_await std::move(before)).value();
    const int dead = test::open_process(seen.zygote);
    ::kill(seen.zygote, SIGKILL);
    CHECK(test::await_end(dead, 20'000));
    ::close(dead);

    // Workers do not mind, and the next one comes from another zygote.
    const auto same_worker = co_await executor.submit(use_model);
    CHECK(same_worker.value().worker == seen.worker);
    ::kill(seen.worker, SIGKILL);
    const auto again = co_await executor.submit(use_model);
    CHECK(again.value().zygote != seen.zygote);
    CHECK(again.value().path == "a");
    stays.close();
    const auto stayed = co_await std::move(staying);
    CHECK(stayed.value().zygote == seen.zygote);
}

void refuse(int n) { throw std::out_of_range("no model " + std::to_string(n)); }
void kill_oneself() { std::raise(SIGKILL); }
void leave() { std::_Exit(3); }
void hang() {
    for (;;) {
        ::pause();
    }
}
void begin_thread() { std::thread(hang).detach(); }

/// As for initializers: an error that says so, and an end to it.
asio::awaitable<void> fails(call bad, std::string says, coproc::duration at_most) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor_options options = options_with({call(load_model, "a"), bad});
    options.initializer_timeout = at_most;
    options.max_failed_starts = 3;
    coproc::executor executor(loop, options);
    auto other = executor.submit(use_model);
    const auto got = co_await executor.submit(use_model);
    REQUIRE(got.has_error());
    INFO(got.error().message());
    CHECK(got.error() == errc::initializer_failed);
    CHECK(got.error().certainty() == certainty::not_started);
    CHECK_THAT(got.error().message(), test::contains_text("preload 2 of 2"));
    CHECK_THAT(got.error().message(), test::contains_text("zygote "));
    CHECK_THAT(got.error().message(), test::contains_text(says));
    const auto too = co_await std::move(other);
    CHECK(too.error() == errc::initializer_failed);
    const auto later = co_await executor.submit(use_model);
    CHECK(later.error() == errc::executor_broken);
    CHECK_THAT(later.error().message(), test::contains_text(says));
}

void hang_awhile(const std::string& name) { test::visit(name).await_leave(); }

asio::awaitable<void> ends_while_it_preloads(bool shuts_down) {
    const auto loop = co_await asio::this_coro::executor;
    test::meeting meeting(loop);
    coproc::executor executor(loop, options_with({call(hang_awhile, meeting.name())}));
    auto job = executor.submit(use_model);
    int zygote = 0;
    auto stays = co_await meeting.arrival(&zygote);
    CHECK(executor.stats().starting_workers == 1);
    const int dies = test::open_process(zygote);
    if (shuts_down) {
        const coproc::shutdown_options kill{.mode = coproc::shutdown_mode::kill};
        const auto report = co_await executor.async_shutdown(kill);
        CHECK(report.killed_workers == 0);
    } else {
        executor.stop();
    }
    const auto got = co_await std::move(job);
    CHECK(got.error() == errc::executor_shutdown);
    CHECK(test::await_end(dies, 20'000));
    ::close(dies);
}

asio::awaitable<void> shut_down() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, options_with({call(load_model, "a")}));
    const auto got = co_await executor.submit(use_model);
    const int dies = test::open_process(got.value().zygote);
    const auto report = co_await executor.async_shutdown();
    CHECK(report.killed_workers == 0);
    CHECK(test::await_end(dies, 20'000));
    ::close(dies);
}

std::vector<std::string> links_of_descriptors() {
    std::vector<std::string> links;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        if (std::stoi(entry.path().filename()) > 2) {
            links.push_back(std::filesystem::read_symlink(entry.path(), gone));
        }
    }
    return links;
}

void open_null() { static_cast<void>(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

asio::awaitable<void> descriptors() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, options_with({call(open_null)}));
    static_cast<void>(co_await look_at_two(executor));
    const auto got = co_await executor.submit(links_of_descriptors);
    const std::vector<std::string>& links = got.value();
    // Its socket, the directory that was listed, and what was opened for all.
    CHECK(links.size() == 3);
    CHECK(std::count(links.begin(), links.end(), "/dev/null") == 1);
}

/// Whether the C library knows the number of the one thread that there is.
bool knows_its_thread() {
    pthread_mutexattr_t recursive;
    ::pthread_mutexattr_init(&recursive);
    ::pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_t mutex;
    ::pthread_mutex_init(&mutex, &recursive);
    ::pthread_mutex_lock(&mutex);
    const bool knows = mutex.__data.__owner == static_cast<int>(::syscall(SYS_gettid));
    ::pthread_mutex_unlock(&mutex);
    const pthread_t here = ::pthread_self();
    int outcome = -1;
    std::thread([&] { outcome = ::pthread_kill(here, 0); }).join();
    return knows && outcome == 0;
}

void write_without_end() {
    std::fputs("half a line of the zygote", stdout);
    std::fputs("half a line of the zygote", stderr);
}
int crash() {
    std::fputs("last words", stderr);
    std::fflush(stderr);
    std::abort();
}

asio::awaitable<void> outputs() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor_options options = options_with({call(write_without_end)});
    options.capture_output = true;
    coproc::executor executor(loop, options);
    const auto got = co_await executor.submit(crash);
    REQUIRE(got.has_error());
    const auto worker = got.error().worker();
    CHECK(worker->signal == SIGABRT);
    CHECK_THAT(worker->stderr_tail, test::contains_text("last words"));
    CHECK(worker->stderr_tail.find("zygote") == std::string::npos);
    CHECK(worker->stdout_tail.empty());
}

void append_at_exit(const std::string& file) {
    coproc::this_worker::on_exit(
        [file] { std::ofstream(file, std::ios::app) << ::getpid() << '\n'; });
}

asio::awaitable<void> hooks(const std::string& file) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, options_with({call(append_at_exit, file)}));
    const auto [one, other] = co_await look_at_two(executor);
    static_cast<void>(co_await executor.async_shutdown());
    std::ifstream in(file);
    std::vector<int> pids;
    for (int pid = 0; in >> pid;) {
        pids.push_back(pid);
    }
    std::vector<int> expected{one.worker, other.worker};
    std::sort(pids.begin(), pids.end());
    std::sort(expected.begin(), expected.end());
    CHECK(pids == expected);
}

sight use_model_of_inner() {
    asio::io_context loop;
    coproc::executor inner(loop, options_with({call(load_model, "inner")}));
    auto job = inner.submit(use_model);
    loop.run();
    return std::move(job).get().value();
}

asio::awaitable<void> nested() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, options_with({call(load_model, "outer")}));
    const auto outer = co_await executor.submit(use_model);
    const auto inner = co_await executor.submit(use_model_of_inner);
    CHECK(inner.value().path == "inner");
    CHECK(inner.value().parent == outer.value().worker);
    CHECK(inner.value().zygote != outer.value().zygote);
}

/// A zygote may use executors, too; what it leaves of them is of no use to workers.
void compute_with_executor() {
    static asio::io_context loop;
    static coproc::executor inner(loop, {.max_workers = 1, .start = start_method::exec});
    auto job = inner.submit(::getpid);
    loop.run();
    coproc::this_worker::local<model>(model{.path = std::to_string(std::move(job).get().value())});
    coproc::this_worker::local<coproc::executor*>(&inner);
}

errc ask_inherited() {
    auto* const inner = coproc::this_worker::local<coproc::executor*>();
    auto job = inner->submit(::getpid);
    return static_cast<errc>(std::move(job).get().error().code().value());
}

asio::awaitable<void> executor_of_zygote() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, options_with({call(compute_with_executor)}));
    const auto got = co_await executor.submit(use_model);
    CHECK(std::stoi(got.value().path) > 0);
    const auto forked = co_await executor.submit(ask_inherited);
    CHECK(forked.value() == errc::forked);
}

std::string beside(const char* program) {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / program;
}

} // namespace

TEST_CASE("forkserver: what is preloaded is built once, and each worker has it",
          "[process][forkserver]") {
    test::run(built_once());
    CHECK_FALSE(test::has_children());
}

TEST_CASE("forkserver: workers do not mind when their zygote is killed, and the next has another",
          "[process][forkserver]") {
    test::run(zygote_is_killed());
    CHECK_FALSE(test::has_children());
}

TEST_CASE("forkserver: a preload that fails is an initializer that fails",
          "[process][forkserver]") {
    SECTION("throws") { test::run(fails(call(refuse, 7), "no model 7", 1min)); }
    SECTION("is killed") { test::run(fails(call(kill_oneself), "was killed by SIGKILL", 1min)); }
    SECTION("exits") { test::run(fails(call(leave), "exited with status 3", 1min)); }
    SECTION("does not end") { test::run(fails(call(hang), "did not end in time", 50ms)); }
    SECTION("leaves a thread") {
        test::run(fails(call(begin_thread), "it has left 1 thread behind", 1min));
    }
    CHECK_FALSE(test::has_children());
}

TEST_CASE("forkserver: an executor ends while its zygote is preloading", "[process][forkserver]") {
    SECTION("stop") { test::run(ends_while_it_preloads(false)); }
    SECTION("shutdown") { test::run(ends_while_it_preloads(true)); }
    CHECK_FALSE(test::has_children());
}

TEST_CASE("forkserver: the zygote ends with its executor", "[process][forkserver]") {
    test::run(shut_down());
    CHECK_FALSE(test::has_children());
}

TEST_CASE("forkserver: a worker has no descriptor of its zygote's or of another worker",
          "[process][forkserver]") {
    test::run(descriptors());
}

TEST_CASE("forkserver: the C library of a worker knows its thread", "[process][forkserver]") {
    asio::io_context loop;
    coproc::executor executor(loop, options_with({}));
    auto job = executor.submit(knows_its_thread);
    test::run(loop);
    CHECK(std::move(job).get().value());
}

TEST_CASE("forkserver: what the zygote has not flushed is written once", "[process][forkserver]") {
    test::run(outputs());
}

TEST_CASE("forkserver: hooks that were preloaded are each worker's", "[process][forkserver]") {
    std::string file = "/tmp/coproc-forkserver-XXXXXX";
    ::close(::mkstemp(file.data()));
    test::run(hooks(file));
    ::unlink(file.c_str());
}

TEST_CASE("forkserver: tasks have executors with zygotes of their own", "[process][forkserver]") {
    test::run(nested());
    CHECK_FALSE(test::has_children());
}

TEST_CASE("forkserver: an executor of the zygote's is inert in its workers",
          "[process][forkserver]") {
    test::run(executor_of_zygote());
    CHECK_FALSE(test::has_children());
}

TEST_CASE("forkserver: whenever an executor is stopped, nothing is left of it",
          "[process][forkserver]") {
    asio::io_context loop;
    for (int round = 0; round < 60; ++round) {
        coproc::executor executor(loop, options_with({}));
        auto first = executor.submit(use_model);
        auto second = executor.submit(use_model);
        loop.restart();
        for (int handler = 0; handler < round; ++handler) {
            loop.run_one(); // waits for what happens next, and does nothing once all is done
        }
        executor.stop();
        test::run(loop);
        CHECK(first.ready());
        CHECK(second.ready());
        REQUIRE_FALSE(test::has_children());
    }
}

TEST_CASE("forkserver: when the program is killed, its zygote and all workers end",
          "[process][forkserver]") {
    const std::string command = "exec " + beside("integration_forking");
    std::FILE* const host = ::popen(command.c_str(), "r");
    int host_pid = 0;
    std::vector<int> others(3); // the zygote, and two workers that compute
    REQUIRE(std::fscanf(host, "%d %d %d %d", &host_pid, &others[0], &others[1], &others[2]) == 4);
    std::vector<int> ends;
    for (const int pid : others) {
        ends.push_back(test::open_process(pid));
        REQUIRE(ends.back() >= 0);
    }
    ::kill(host_pid, SIGKILL);
    for (const int end : ends) {
        CHECK(test::await_end(end, 20'000));
        ::close(end);
    }
    ::pclose(host);
}

TEST_CASE("forkserver: preload is for workers that are forked", "[forkserver]") {
    asio::io_context loop;
    coproc::executor_options options = options_with({call(load_model, "a")});
    options.start = start_method::exec;
    CHECK_THROWS_WITH(coproc::executor(loop, options),
                      "coproc: executor_options::preload must be empty unless `start` is "
                      "start_method::forkserver: nothing else forks");
}
