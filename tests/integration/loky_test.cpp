#include "support/answers.hpp"
#include "support/catch.hpp"
#include "support/interruptible.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"

#include <coproc/coproc.hpp>
#include <coproc/remote_exception.hpp>

#include <asio/read.hpp>
#include <asio/redirect_error.hpp>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// What loky's tests ask of executors, and what it was seen to do wrong (docs/loky.md).

namespace {

/// An argument that tells when the worker lets go of it.
class farewell {
public:
    explicit farewell(std::string name) : name_(std::move(name)) { ++alive; }
    farewell(const std::string& name, bool in_worker) : name_(name), in_worker_(in_worker) {
        ++alive;
    }
    farewell(farewell&& other) noexcept
        : name_(std::move(other.name_)), in_worker_(std::exchange(other.in_worker_, false)) {
        ++alive;
    }
    farewell& operator=(farewell&&) = delete;
    ~farewell() {
        --alive;
        if (in_worker_) {
            test::visit here(name_);
        }
    }
    const std::string& name() const { return name_; }

    static std::atomic<int> alive;

private:
    std::string name_;
    bool in_worker_ = false;
};
std::atomic<int> farewell::alive = 0;

/// Their codecs calculate, each way.
struct question {
    int n;
};
struct reply {
    int n;
};

/// Tells when it is encoded, and is larger than all buffers.
struct long_story {
    std::string meeting;
};

} // namespace

template <>
struct coproc::codec<farewell> {
    static void encode(encoder& out, const farewell& f) { out.write(f.name()); }
    static farewell decode(decoder& in) { return farewell(in.read<std::string>(), true); }
};

template <>
struct coproc::codec<question> {
    static void encode(encoder& out, const question& q) { out.write(q.n + 1); }
    static question decode(decoder& in) { return {in.read<int>() * 3}; }
};

template <>
struct coproc::codec<reply> {
    static void encode(encoder& out, const reply& r) { out.write(r.n + 8); }
    static reply decode(decoder& in) { return {in.read<int>() * 3}; }
};

template <>
struct coproc::codec<long_story> {
    static void encode(encoder& out, const long_story& s) {
        const std::string text(std::size_t{64} << 20, 'x');
        test::visit here(s.meeting);
        out.write(text);
    }
    static long_story decode(decoder& in) { return {in.read<std::string>()}; }
};

namespace {

using coproc::certainty;
using coproc::errc;
using namespace std::chrono_literals;

int same(int n) { return n; }
int power(int base, int exponent) { return exponent == 0 ? 1 : base * power(base, exponent - 1); }
int exit_with(int status) { std::exit(status); }
int throw_seven(int) { throw std::invalid_argument("seven"); }
reply answer(const question& q) { return {q.n}; }
long_story tell(const std::string& meeting) { return {meeting}; }

int stay(const std::string& name) {
    test::visit(name).await_leave();
    return 1;
}

int keep(const farewell&, const std::string& name) { return stay(name); }

[[noreturn]] int stay_and_crash(const std::string& name) {
    test::visit(name).await_leave();
    std::abort();
}

/// Executors in tasks of executors; the innermost task arrives, and stays.
int nest(int depth, const std::string& name) {
    if (depth == 0) {
        return stay(name);
    }
    coproc::executor inner(coproc::own_thread, {.max_workers = 1});
    return 1 + test::get(inner.submit(nest, depth - 1, name)).value();
}

std::size_t size_and_ends(std::string_view text) {
    return text.front() == 'a' && text.back() == 'z' ? text.size() : 0;
}

int allocate(int n) {
    std::vector<std::unique_ptr<int>> all;
    for (int i = 0; i < n; ++i) {
        all.push_back(std::make_unique<int>(i));
    }
    return static_cast<int>(all.size());
}

/// Submits the next task in the handler of the one before.
void submit_next(coproc::executor& executor, int left, int& right) {
    executor.submit(same, left)([&executor, left, &right](coproc::result<int> r) {
        right += r.value() == left;
        if (left > 1) {
            submit_next(executor, left - 1, right);
        }
    });
}

asio::awaitable<void> no_stale_references() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting begun(loop);
    test::meeting gone(loop);
    auto job = std::make_optional(executor.submit(keep, farewell(gone.name()), begun.name()));
    auto other = co_await begun.arrival();
    job.reset(); // nobody waits for the task
    other.close();
    auto said = co_await gone.arrival(); // the worker has let go of it, before any further task
    const auto next = co_await executor.submit(same, 1);
    CHECK(next.value() == 1);
    CHECK(farewell::alive == 0);
    CHECK(executor.stats().started_workers == 1);
}

asio::awaitable<void> killed_child() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    auto job = executor.submit(stay, meeting.name());
    auto behind = executor.submit(same, 2);
    int pid = 0;
    auto other = co_await meeting.arrival(&pid);
    ::kill(pid, SIGTERM); // from the worker's parent it counts
    const auto got = co_await std::move(job);
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::worker_terminated);
    CHECK(got.error().certainty() == certainty::may_have_run);
    CHECK(got.error().worker()->signal == SIGTERM);
    CHECK(got.error().worker()->pid == pid);
    CHECK(got.error().message().find("SIGTERM") != std::string::npos);
    const auto waited = co_await std::move(behind);
    CHECK(waited.value() == 2);
    const auto next = co_await executor.submit(same, 3);
    CHECK(next.value() == 3);
}

asio::awaitable<void> exited_child() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto got = co_await executor.submit(exit_with, 42);
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::worker_terminated);
    CHECK(got.error().worker()->status == 42);
    CHECK(got.error().message().find("exited with status 42") != std::string::npos);
    const auto next = co_await executor.submit(same, 3);
    CHECK(next.value() == 3);
}

/// The innermost of the processes hold the other ends of our sockets.
asio::awaitable<void> kill_nested() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    auto job = executor.submit({.grace = 0ms}, nest, 2, meeting.name());
    int pid = 0;
    auto other = co_await meeting.arrival(&pid);
    const coproc::shutdown_options now{.mode = coproc::shutdown_mode::kill};
    const auto report = co_await executor.async_shutdown(now, asio::use_awaitable);
    CHECK(report.cancelled == 1);
    CHECK(report.lost == 1);
    CHECK(report.killed_workers == 1);
    const auto got = co_await std::move(job);
    CHECK(got.error() == errc::executor_shutdown);
    char nothing;
    asio::error_code end;
    co_await asio::async_read(other, asio::buffer(&nothing, 1),
                              asio::redirect_error(asio::use_awaitable, end));
    CHECK(end == asio::error::eof); // which its process had open as long as it lived
}

asio::awaitable<void> cancelled_before_crash() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting meeting(loop);
    auto crashing = executor.submit(stay_and_crash, meeting.name());
    std::vector<coproc::job<int>> behind;
    for (int i = 0; i < 10; ++i) {
        behind.push_back(executor.submit(same, i));
    }
    auto other = co_await meeting.arrival();
    behind[3].cancel();
    other.close();
    const auto crashed = co_await std::move(crashing);
    CHECK(crashed.error() == errc::worker_terminated);
    for (int i = 0; i < 10; ++i) {
        const auto got = co_await std::move(behind[static_cast<std::size_t>(i)]);
        CHECK((i == 3 ? got.has_error() && got.error() == errc::cancelled
                      : got.has_value() && got.value() == i));
    }
}

asio::awaitable<void> cancelled_before_shutdown(coproc::shutdown_mode mode) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    auto first = executor.submit(same, 1);
    auto second = executor.submit(same, 2);
    second.cancel();
    const coproc::shutdown_options how{.mode = mode};
    co_await executor.async_shutdown(how, asio::use_awaitable);
    REQUIRE(first.ready());
    const auto one = co_await std::move(first);
    CHECK((one.has_value() || one.error() == errc::executor_shutdown));
    CHECK((mode != coproc::shutdown_mode::drain || one.has_value()));
    const auto two = co_await std::move(second);
    CHECK(two.error() == errc::cancelled);
    CHECK((test::children().empty()));
}

bool sleeps(int pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(stat, line);
    const std::size_t name_end = line.rfind(')');
    return name_end != std::string::npos && line.compare(name_end, 3, ") S") == 0;
}

} // namespace

TEST_CASE("test_submit: a task gives what its function returns", "[loky]") {
    CHECK(test::answer_of(power, 2, 8).value() == 256);
}

TEST_CASE("test_no_stale_references: an argument is gone with its task, also of a dropped job",
          "[loky]") {
    test::run(no_stale_references());
}

TEST_CASE("test_max_workers_negative: no workers, and fewer, are refused by name", "[loky]") {
    asio::io_context loop;
    for (const int number : {0, -1}) {
        const coproc::executor_options wrong{.max_workers = static_cast<std::size_t>(number)};
        CHECK_THROWS_AS(coproc::executor(loop, wrong), std::invalid_argument);
        CHECK_THROWS_WITH(coproc::executor(loop, wrong),
                          "coproc: executor_options::max_workers must be between 1 and 65536");
    }
}

TEST_CASE("test_killed_child: a killed worker costs its task, and no later one",
          "[process][loky]") {
    test::run(killed_child());
}

TEST_CASE("test_exited_child: a worker that exits costs its task, and no later one",
          "[process][loky]") {
    test::run(exited_child());
}

TEST_CASE("test_traceback: an exception keeps its type, and tells type, text and worker",
          "[loky]") {
    const auto got = test::answer_of(throw_seven, 1);
    CHECK_THROWS_AS(got.value(), std::invalid_argument);
    CHECK_THROWS_WITH(got.value(), "seven");
    try {
        got.value();
    } catch (const coproc::remote_exception& error) {
        CHECK(error.type() == "std::invalid_argument");
        CHECK(error.what_text() == "seven");
        CHECK(error.worker_pid() > 0);
    }
    CHECK(got.error().message().find("throw_seven") != std::string::npos);
}

TEST_CASE("test_submit_from_callback: handlers may submit, again and again", "[loky]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 2});
    int right = 0;
    for (const int length : {50, 75, 100}) {
        submit_next(executor, length, right);
    }
    test::run(loop);
    CHECK(right == 225);
}

TEST_CASE("test_serialization: codecs of arguments and results are applied, in their order",
          "[loky]") {
    CHECK(test::answer_of(answer, question{1}).value().n == 42); // ((1 + 1) * 3 + 8) * 3
    CHECK(test::answer_of(same, 1).value() == 1);
}

TEST_CASE("test_max_depth: tasks may have executors of their own", "[loky]") {
    asio::io_context meetings;
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    test::meeting meeting(meetings);
    auto job = executor.submit(nest, 3, meeting.name());
    auto other = meeting.await_arrival();
    other.close();
    CHECK(std::move(job).get().value() == 4);
}

TEST_CASE("test_shutdown_and_kill_workers: what a killed task has started ends with it",
          "[process][loky]") {
    test::run(kill_nested());
    CHECK_FALSE(test::has_children());
}

TEST_CASE("test_no_deprecation_warning_is_raised_on_fork: workers start while threads allocate",
          "[process][loky]") {
    std::atomic<bool> over = false;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            while (!over) {
                allocate(1000);
            }
        });
    }
    for (int i = 0; i < 20; ++i) {
        CHECK(test::answer_of(allocate, 1000).value() == 1000);
    }
    over = true;
    for (auto& thread : threads) {
        thread.join();
    }
}

// It takes 7 GB of memory, so it runs only when it is named.
TEST_CASE("test_no_failure_on_large_data_send: 2.2 GB are one argument", "[.][large]") {
    std::string text(std::size_t{2'200'000'000}, 'x');
    text.front() = 'a';
    text.back() = 'z';
    CHECK(test::answer_of(size_and_ends, std::move(text)).value() == 2'200'000'000);
}

TEST_CASE("D1: a worker killed while it writes a large result costs that", "[process][loky]") {
    asio::io_context meetings;
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    test::meeting encoding(meetings);
    auto job = executor.submit(tell, encoding.name());
    auto behind = executor.submit(same, 2);
    int pid = 0;
    std::thread killer([&] {
        encoding.await_arrival(&pid);
        loop.stop();
    });
    loop.run_for(test::patience); // what the worker writes now, nobody reads
    killer.join();
    const auto end = std::chrono::steady_clock::now() + test::patience;
    while (!sleeps(pid) && std::chrono::steady_clock::now() < end) {
        std::this_thread::yield();
    }
    REQUIRE(sleeps(pid));
    CHECK_FALSE(job.ready());
    ::kill(pid, SIGKILL);
    test::run(loop);
    const auto got = std::move(job).get();
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::worker_terminated);
    CHECK(got.error().certainty() == certainty::ran);
    CHECK(std::move(behind).get().value() == 2);
}

TEST_CASE("D2: a job cancelled before a crash holds nothing up", "[process][loky]") {
    test::run(cancelled_before_crash());
}

TEST_CASE("D3, D4: a job cancelled before a shutdown holds nothing up", "[loky]") {
    for (const auto mode : {coproc::shutdown_mode::drain, coproc::shutdown_mode::cancel_queued,
                            coproc::shutdown_mode::kill}) {
        test::run(cancelled_before_shutdown(mode));
    }
}
