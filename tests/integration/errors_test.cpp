#include "support/catch.hpp"
#include "support/compute.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"

#include <coproc/coproc.hpp>

#include <asio/detached.hpp>
#include <asio/post.hpp>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// Every errc, produced by what really goes wrong, and the sentence that tells of it.

namespace {

using coproc::certainty;
using coproc::errc;
using namespace std::chrono_literals;

/// A failure that was seen, and what its sentence must say: which task, what happened, whether it
/// may have run, and what to do where there is something to do.
struct seen {
    errc code;
    certainty how;
    std::string message;
    certainty expected;
    std::vector<std::string> says;
};

/// Throws, or ends its process, on one of its ways.
struct touchy {
    enum class when : int { never, encoded, decoded, exits };
    when fails = when::never;
};

} // namespace

template <>
struct coproc::codec<touchy> {
    static void encode(encoder& out, const touchy& value) {
        if (value.fails == touchy::when::encoded) {
            throw std::runtime_error("will not speak");
        }
        if (value.fails == touchy::when::exits) {
            std::_Exit(9);
        }
        out.write(value.fails);
    }
    static touchy decode(decoder& in) {
        if (in.read<touchy::when>() == touchy::when::decoded) {
            in.fail("will not look");
        }
        return {};
    }
};

namespace {

template <class R>
errc code_of(const coproc::result<R>& got) {
    return static_cast<errc>(got.error().code().value());
}

template <class R>
seen look_at(const coproc::result<R>& got, certainty expected, std::vector<std::string> says) {
    REQUIRE(got.has_error());
    return {code_of(got), got.error().certainty(), got.error().message(), expected,
            std::move(says)};
}

int same(int n) { return n; }
int take_touchy(touchy) { return 0; }
touchy give_touchy(int fails) { return {static_cast<touchy::when>(fails)}; }
int throw_seven(int) { throw std::invalid_argument("seven"); }
int raise_segv(int) { return ::raise(SIGSEGV); }
int spin(int) { coproc::test::compute_for_ever(); }
int exit_with(int status) { std::_Exit(status); }
std::string give_text(std::size_t size) { return std::string(size, 'x'); }
std::size_t take_text(std::string text) { return text.size(); }

int stay(std::string name) {
    test::visit(name).await_leave();
    return 1;
}

template <class F, class... Args>
auto run_one(coproc::executor_options options, const coproc::task_options& task, F function,
             Args... args) {
    asio::io_context loop;
    coproc::executor executor(loop, std::move(options));
    auto job = executor.submit(task, function, std::move(args)...);
    test::run(loop);
    REQUIRE(job.ready());
    return std::move(job).get();
}

template <class F, class... Args>
auto run_one(F function, Args... args) {
    return run_one({.max_workers = 1}, coproc::task_options{}, function, std::move(args)...);
}

/// While a task runs, does something to its job or its executor.
template <class Act>
coproc::result<int> while_it_runs(Act act) {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    auto job = executor.submit({.grace = 0ms}, stay, meeting.name());
    test::run(loop,
              [](test::meeting& m, Act& a, coproc::job<int>& j,
                 coproc::executor& e) -> asio::awaitable<void> {
                  auto arrived = co_await m.arrival();
                  a(j, e);
                  while (!j.ready()) {
                      co_await test::turn();
                  }
              }(meeting, act, job, executor));
    return std::move(job).get();
}

// ---- one function for each

std::vector<seen> no_result() {
    const coproc::result<int> none;
    return {look_at(none, certainty::may_have_run, {"never given a value"})};
}

std::vector<seen> task_threw() {
    return {look_at(run_one(throw_seven, 7), certainty::ran,
                    {"throw_seven: threw std::invalid_argument: seven"})};
}

std::vector<seen> worker_terminated() {
    const auto killed = run_one(raise_segv, 1);
    const auto exited = run_one(exit_with, 42);
    const auto answering = run_one(give_touchy, static_cast<int>(touchy::when::exits));
    const auto worker = [](const auto& got) {
        REQUIRE(got.has_error());
        return "worker " + std::to_string(got.error().worker()->pid);
    };
    return {look_at(killed, certainty::may_have_run,
                    {"raise_segv: " + worker(killed) + " was killed by SIGSEGV",
                     "; the task may have run",
                     "; look for a backtrace in failure::worker(), and set task_options::retries"}),
            look_at(exited, certainty::may_have_run,
                    {"exit_with: " + worker(exited) + " exited with status 42",
                     "; the task may have run; set task_options::retries"}),
            look_at(answering, certainty::ran,
                    {"give_touchy: " + worker(answering) + " exited with status 9",
                     "; the task ran to its end, but its result is lost"})};
}

/// The result has arrived, and then there is no memory to make a value of it.
std::vector<seen> out_of_memory() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return {}; // it ends the program where memory is refused; memory_test.cpp has the other kind
#else
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto job = executor.submit(give_text, std::size_t{256} << 20);
    test::run(loop);
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit before{};
    ::getrlimit(RLIMIT_AS, &before);
    rlimit tight = before;
    tight.rlim_cur = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (64 << 20);
    ::setrlimit(RLIMIT_AS, &tight);
    const auto got = std::move(job).get();
    ::setrlimit(RLIMIT_AS, &before);
    REQUIRE(got.has_error());
    CHECK(got.error().out_of_memory() == coproc::memory_shortage::certain);
    CHECK(got.error().code() == std::errc::not_enough_memory);
    return {
        look_at(got, certainty::ran,
                {"give_text: there was not enough memory here to receive the result",
                 "; the task ran to its end, but its result is lost", "; give it more memory"})};
#endif
}

std::vector<seen> timed_out() {
    const auto waiting = run_one({.max_workers = 1}, {.timeout = 0s}, same, 1);
    const auto running = run_one({.max_workers = 1}, {.run_timeout = 500ms, .grace = 0ms}, spin, 1);
    const auto late = run_one({.max_workers = 1}, {.run_timeout = 0s}, same, 1);
    return {look_at(waiting, certainty::not_started,
                    {"same: timed out before it began", "; raise task_options::timeout"}),
            look_at(running, certainty::may_have_run,
                    {"spin: timed out", "; the task may have run",
                     "; raise task_options::run_timeout"}),
            look_at(late, certainty::not_started,
                    {"same: timed out before it began", "; raise task_options::run_timeout"})};
}

std::vector<seen> cancelled() {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto job = executor.submit(same, 1);
    job.cancel();
    test::run(loop);
    return {
        look_at(std::move(job).get(), certainty::not_started, {"same: cancelled before it began"}),
        look_at(while_it_runs([](coproc::job<int>& j, coproc::executor&) { j.cancel(); }),
                certainty::may_have_run, {"stay: cancelled", "; the task may have run"})};
}

std::vector<seen> encode_failed() {
    return {look_at(run_one(take_touchy, touchy{touchy::when::encoded}), certainty::not_started,
                    {"take_touchy: the arguments could not be encoded: will not speak",
                     "; the task did not start", "; correct the value or its codec"}),
            look_at(run_one(give_touchy, static_cast<int>(touchy::when::encoded)), certainty::ran,
                    {"give_touchy: the result could not be encoded: will not speak",
                     "; the task ran to its end, but its result is lost",
                     "; correct the value or its codec"})};
}

std::vector<seen> decode_failed() {
    return {look_at(run_one(take_touchy, touchy{touchy::when::decoded}), certainty::not_started,
                    {"take_touchy: the worker could not decode the arguments: will not look",
                     "; the task did not start", "; check that the codec decodes"}),
            look_at(run_one(give_touchy, static_cast<int>(touchy::when::decoded)), certainty::ran,
                    {"give_touchy: the result could not be decoded", "will not look",
                     "; the task ran to its end, but its result is lost",
                     "; check that the codec decodes"})};
}

std::vector<seen> unknown_function() {
    void* const code =
        ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(code != MAP_FAILED);
    const auto got =
        run_one({.max_workers = 1}, {.name = "resize"}, reinterpret_cast<int (*)(int)>(code), 1);
    ::munmap(code, 4096);
    return {look_at(got, certainty::not_started,
                    {"resize: the worker does not have this function: it lies in no executable",
                     "; the task did not start", "; build worker and caller together"})};
}

std::vector<seen> spawn_failed() {
    return {look_at(run_one({.max_workers = 1, .executable = "/no/such/file"}, {}, same, 1),
                    certainty::not_started,
                    {"same: no worker process could be started: execve of /no/such/file: No "
                     "such file or directory",
                     "; the task did not start", "; remove the cause, then submit it again"})};
}

std::vector<seen> handshake_failed() {
    return {look_at(run_one({.max_workers = 1, .executable = "/bin/true"}, {}, same, 1),
                    certainty::not_started,
                    {"same: the process that was started is not a worker of this program: ",
                     " exited with status 0 before it was ready", "; the task did not start",
                     "; make coproc::init(argc, argv) the first line"})};
}

void refuse_model(int) { throw std::out_of_range("no such model"); }

std::vector<seen> initializer_failed() {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1,
                                     .initializers = {coproc::call(refuse_model, 1)},
                                     .max_failed_starts = 1});
    auto job = executor.submit(same, 1);
    test::run(loop);
    return {look_at(std::move(job).get(), certainty::not_started,
                    {"same: ", "initializer 1 of 1 in worker ",
                     "it threw std::out_of_range: no such model", "; the task did not start",
                     "; make a new executor once the cause is removed"})};
}

std::vector<seen> executor_broken() {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1, .executable = "/no/such/file"});
    auto first = executor.submit(same, 1);
    test::run(loop);
    return {
        look_at(executor.submit(same, 2).get(), certainty::not_started,
                {"same: the executor gave up", "No such file or directory",
                 "; the task did not start", "; make a new executor once the cause is removed"})};
}

std::vector<seen> executor_shutdown() {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    executor.stop();
    return {look_at(executor.submit(same, 1).get(), certainty::not_started,
                    {"same: the executor was shut down", "; the task did not start"}),
            look_at(while_it_runs([](coproc::job<int>&, coproc::executor& e) { e.stop(); }),
                    certainty::may_have_run,
                    {"stay: the executor was shut down", "; the task may have run"})};
}

std::vector<seen> queue_full() {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1, .max_queued = 1});
    auto first = executor.submit(same, 1);
    auto second = executor.submit(same, 2);
    return {look_at(std::move(second).get(), certainty::not_started,
                    {"same: the queue of the executor is full: 1 task waits already",
                     "; the task did not start",
                     "; wait for earlier tasks, or raise "
                     "executor_options::max_queued"})};
}

std::vector<seen> too_large() {
    const coproc::executor_options small{.max_workers = 1, .max_message_bytes = 64 * 1024};
    return {look_at(run_one(small, {}, take_text, std::string(100'000, 'x')),
                    certainty::not_started,
                    {"take_text: the arguments are larger than a message may be",
                     "; the task did not start", "executor_options::max_message_bytes"}),
            look_at(run_one(small, {}, give_text, std::size_t{100'000}), certainty::ran,
                    {"give_text: the result is larger than a message may be",
                     "; the task ran to its end, but its result is lost",
                     "executor_options::max_message_bytes"})};
}

std::vector<seen> would_deadlock() {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    std::vector<seen> all;
    asio::post(loop, [&] {
        all.push_back(
            look_at(executor.submit(same, 1).get(), certainty::may_have_run,
                    {"same: the call would block the thread that runs the executor's loop",
                     "; co_await the job, or call get() on another thread"}));
    });
    test::run(loop);
    return all;
}

/// Code, certainty and sentence of a task of an executor in a task.
std::tuple<int, int, std::string> submit_within() {
    coproc::executor inner(coproc::own_thread, {.max_workers = 1});
    const auto got = inner.submit(same, 1).get();
    return {got.error().code().value(), static_cast<int>(got.error().certainty()),
            got.error().message()};
}

std::vector<seen> nesting_too_deep() {
    const auto got = run_one({.max_workers = 1, .environment = {{"COPROC_MAX_DEPTH", "1"}}},
                             coproc::task_options{}, submit_within);
    REQUIRE(got.has_value());
    const auto& [code, how, message] = got.value();
    return {{static_cast<errc>(code),
             static_cast<certainty>(how),
             message,
             certainty::not_started,
             {"same: executors inside tasks of executors are nested too deep: this is level 1, and "
              "COPROC_MAX_DEPTH is 1",
              "; the task did not start", "; let the outermost program submit the tasks"}}};
}

std::vector<seen> forked() {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const auto got = executor.submit(same, 1).get();
        const std::string told = std::to_string(got.error().code().value()) + " " +
                                 std::to_string(static_cast<int>(got.error().certainty())) + " " +
                                 got.error().message() + "\n";
        ::_exit(::write(ends[1], told.data(), told.size()) > 0 ? 0 : 1);
    }
    ::close(ends[1]);
    std::FILE* const from_child = ::fdopen(ends[0], "r");
    int code = 0;
    int how = 0;
    char message[500] = {};
    REQUIRE(std::fscanf(from_child, "%d %d %499[^\n]", &code, &how, message) == 3);
    std::fclose(from_child);
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    return {{static_cast<errc>(code),
             static_cast<certainty>(how),
             message,
             certainty::not_started,
             {"same: this process is a fork", "; the task did not start",
              "; make an executor after fork()"}}};
}

const std::map<errc, std::vector<seen> (*)()> producers{
    {errc::no_result, no_result},
    {errc::task_threw, task_threw},
    {errc::worker_terminated, worker_terminated},
    {errc::out_of_memory, out_of_memory},
    {errc::timed_out, timed_out},
    {errc::cancelled, cancelled},
    {errc::encode_failed, encode_failed},
    {errc::decode_failed, decode_failed},
    {errc::unknown_function, unknown_function},
    {errc::spawn_failed, spawn_failed},
    {errc::handshake_failed, handshake_failed},
    {errc::initializer_failed, initializer_failed},
    {errc::executor_broken, executor_broken},
    {errc::executor_shutdown, executor_shutdown},
    {errc::queue_full, queue_full},
    {errc::too_large, too_large},
    {errc::would_deadlock, would_deadlock},
    {errc::nesting_too_deep, nesting_too_deep},
    {errc::forked, forked},
};

} // namespace

TEST_CASE("every error happens, and its sentence tells task, cause, certainty and remedy",
          "[process][errors][executable]") {
    for (int number = 1; number <= static_cast<int>(errc::forked); ++number) {
        const auto code = static_cast<errc>(number);
        INFO(coproc::make_error_code(code).message());
        REQUIRE(producers.count(code) == 1);
        for (const seen& one : producers.at(code)()) {
            INFO(one.message);
            CHECK(one.code == code);
            CHECK(one.how == one.expected);
            for (const std::string& words : one.says) {
                INFO(words);
                CHECK(one.message.find(words) != std::string::npos);
            }
            CHECK(one.message.find('\n') == std::string::npos);
            CHECK(one.message.back() != '.');
        }
    }
    CHECK_FALSE(test::has_children());
}
