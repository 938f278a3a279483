#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/reusable.hpp"

#include <coproc/codecs/string.hpp>
#include <coproc/coproc.hpp>
#include <coproc/reusable.hpp>

#include <csignal>
#include <cstdlib>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

// Crashes under get_reusable_executor. In loky each of them breaks the executor, and the next call
// makes a new one; here they cost one task each, and the executor stays. Names in quotes are those
// of loky's tests.

namespace {

using coproc::errc;
using coproc::get_reusable_executor;
using namespace std::chrono_literals;

/// What happens where a value is decoded or encoded.
enum class misdeed { none, throws, exits, crashes };

void misbehave(misdeed what) {
    switch (what) {
    case misdeed::none:
        return;
    case misdeed::throws:
        throw std::runtime_error("a misdeed");
    case misdeed::exits:
        std::_Exit(42);
    case misdeed::crashes:
        std::raise(SIGSEGV);
    }
}

struct at_task_encode {
    misdeed what;
};
struct at_task_decode {
    misdeed what;
};
struct at_result_encode {
    misdeed what;
};
struct at_result_decode {
    misdeed what;
};

/// In a worker it misbehaves when it is destroyed.
class at_destruction {
public:
    explicit at_destruction(misdeed what, bool armed = false) : what_(what), armed_(armed) {}
    at_destruction(at_destruction&& other) noexcept
        : what_(other.what_), armed_(std::exchange(other.armed_, false)) {}
    at_destruction& operator=(at_destruction&&) = delete;
    ~at_destruction() {
        if (armed_) {
            misbehave(what_);
        }
    }
    [[nodiscard]] misdeed what() const { return what_; }

private:
    misdeed what_;
    bool armed_;
};

} // namespace

template <>
struct coproc::codec<at_destruction> {
    static void encode(encoder& out, const at_destruction& v) { out.write(v.what()); }
    static at_destruction decode(decoder& in) { return at_destruction(in.read<misdeed>(), true); }
};
template <>
struct coproc::codec<at_task_encode> {
    static void encode(encoder& out, const at_task_encode& v) {
        misbehave(v.what);
        out.write(v.what);
    }
    static at_task_encode decode(decoder& in) { return {in.read<misdeed>()}; }
};
template <>
struct coproc::codec<at_task_decode> {
    static void encode(encoder& out, const at_task_decode& v) { out.write(v.what); }
    static at_task_decode decode(decoder& in) {
        const auto what = in.read<misdeed>();
        misbehave(what);
        return {what};
    }
};
template <>
struct coproc::codec<at_result_encode> {
    static void encode(encoder& out, const at_result_encode& v) {
        misbehave(v.what);
        out.write(v.what);
    }
    static at_result_encode decode(decoder& in) { return {in.read<misdeed>()}; }
};
template <>
struct coproc::codec<at_result_decode> {
    static void encode(encoder& out, const at_result_decode& v) { out.write(v.what); }
    static at_result_decode decode(decoder& in) {
        const auto what = in.read<misdeed>();
        misbehave(what);
        return {what};
    }
};

namespace {

int same(int n) { return n; }
int take_encode(const at_task_encode&) { return 1; }
int take_decode(const at_task_decode&) { return 1; }
int run(misdeed what) {
    misbehave(what);
    return 1;
}
at_result_encode give_encode(misdeed what) { return {what}; }
at_result_decode give_decode(misdeed what) { return {what}; }

int keep(const at_destruction&) { return 1; }

int stay_and_crash(const std::string& name) {
    test::visit(name).await_leave();
    std::raise(SIGSEGV);
    return 0;
}

int stay(std::string name) {
    test::visit(name).await_leave();
    return 1;
}

/// The code of a failure, or no_result where there is a value.
template <class R>
std::error_code code_of(const coproc::result<R>& got) {
    return got ? make_error_code(errc::no_result) : got.error().code();
}

/// How a task ended.
using outcome = std::promise<std::error_code>;

/// A case of loky's table: gives its task to an executor.
using crash = void (*)(coproc::executor&, outcome&);

template <auto Function, class Argument>
void submit_to(coproc::executor& executor, Argument argument, outcome& end) {
    executor.submit(Function,
                    std::move(argument))([&](const auto& got) { end.set_value(code_of(got)); });
}

struct crash_case {
    const char* where;
    crash happens;
    errc ends;
};

const std::vector<crash_case> crashes{
    {"error at task encode",
     [](coproc::executor& e, outcome& end) {
         submit_to<take_encode>(e, at_task_encode{misdeed::throws}, end);
     },
     errc::encode_failed},
    {"error at task decode",
     [](coproc::executor& e, outcome& end) {
         submit_to<take_decode>(e, at_task_decode{misdeed::throws}, end);
     },
     errc::decode_failed},
    {"exit at task decode",
     [](coproc::executor& e, outcome& end) {
         submit_to<take_decode>(e, at_task_decode{misdeed::exits}, end);
     },
     errc::worker_terminated},
    {"crash at task decode",
     [](coproc::executor& e, outcome& end) {
         submit_to<take_decode>(e, at_task_decode{misdeed::crashes}, end);
     },
     errc::worker_terminated},
    {"error in the function",
     [](coproc::executor& e, outcome& end) { submit_to<run>(e, misdeed::throws, end); },
     errc::task_threw},
    {"exit in the function",
     [](coproc::executor& e, outcome& end) { submit_to<run>(e, misdeed::exits, end); },
     errc::worker_terminated},
    {"crash in the function",
     [](coproc::executor& e, outcome& end) { submit_to<run>(e, misdeed::crashes, end); },
     errc::worker_terminated},
    {"error at result encode",
     [](coproc::executor& e, outcome& end) { submit_to<give_encode>(e, misdeed::throws, end); },
     errc::encode_failed},
    {"exit at result encode",
     [](coproc::executor& e, outcome& end) { submit_to<give_encode>(e, misdeed::exits, end); },
     errc::worker_terminated},
    {"crash at result encode",
     [](coproc::executor& e, outcome& end) { submit_to<give_encode>(e, misdeed::crashes, end); },
     errc::worker_terminated},
    {"error at result decode",
     [](coproc::executor& e, outcome& end) { submit_to<give_decode>(e, misdeed::throws, end); },
     errc::decode_failed},
};

} // namespace

TEST_CASE("test_crashes: each costs its task, and the executor stays", "[process][reusable]") {
    const test::ends_reusable end;
    const auto first = get_reusable_executor({.max_workers = 2});
    for (const crash_case& c : crashes) {
        INFO(c.where);
        outcome ended;
        c.happens(*get_reusable_executor({.max_workers = 2}), ended);
        CHECK(ended.get_future().get() == make_error_code(c.ends));
        CHECK(get_reusable_executor({.max_workers = 2}) == first);
        CHECK(first->submit(same, 1).get().value() == 1);
    }
}

TEST_CASE(
    "test_call_item_gc_crash_or_exit: an argument whose destruction ends the worker costs its "
    "task at most",
    "[process][reusable]") {
    const test::ends_reusable end;
    const auto executor = get_reusable_executor({.max_workers = 1});
    for (const misdeed what : {misdeed::exits, misdeed::crashes}) {
        const auto got = executor->submit(keep, at_destruction(what)).get();
        REQUIRE(got.has_error());
        CHECK(got.error() == errc::worker_terminated);
        CHECK(got.error().certainty() != coproc::certainty::not_started);
        CHECK(executor->submit(same, 1).get().value() == 1);
    }
    CHECK(executor->submit(keep, at_destruction(misdeed::none)).get().value() == 1);
    CHECK(get_reusable_executor() == executor);
}

TEST_CASE("test_in_callback_submit_with_crash: handlers may submit what crashes",
          "[process][reusable]") {
    const test::ends_reusable end;
    const auto executor = get_reusable_executor({.max_workers = 2});
    for (const crash_case& c : crashes) {
        INFO(c.where);
        outcome ended;
        executor->submit(same, 1)([&](const coproc::result<int>&) {
            c.happens(*get_reusable_executor({.max_workers = 2}), ended);
        });
        CHECK(ended.get_future().get() == make_error_code(c.ends));
    }
    CHECK(get_reusable_executor({.max_workers = 2}) == executor);
    CHECK(executor->submit(same, 1).get().value() == 1);
}

TEST_CASE("test_crash_races: workers that are killed at a time cost their tasks, and no other",
          "[process][reusable]") {
    const test::ends_reusable end;
    for (const std::size_t workers : {1, 2, 5, 13}) {
        asio::io_context loop;
        test::meeting meeting(loop);
        const auto executor = get_reusable_executor({.max_workers = workers});
        std::vector<coproc::job<int>> jobs;
        for (std::size_t i = 0; i < workers; ++i) {
            jobs.push_back(executor->submit(stay, meeting.name()));
        }
        auto queued = executor->submit(same, 7);
        std::vector<test::meeting_socket> together;
        std::vector<int> pids(workers);
        for (int& pid : pids) {
            together.push_back(meeting.await_arrival(&pid));
        }
        for (const int pid : pids) {
            ::kill(pid, SIGKILL);
        }
        for (auto& job : jobs) {
            const auto got = std::move(job).get();
            REQUIRE(got.has_error());
            CHECK(got.error() == errc::worker_terminated);
            CHECK(got.error().message().find("SIGKILL") != std::string::npos);
        }
        CHECK(std::move(queued).get().value() == 7);
        CHECK(get_reusable_executor({.max_workers = workers}) == executor);
    }
}

TEST_CASE("test_deadlock_kill, test_kill_after_resize_call: workers killed around a resize",
          "[process][reusable]") {
    const test::ends_reusable end;
    for (const bool resized_first : {false, true}) {
        const auto executor = get_reusable_executor({.max_workers = 2});
        const int worker = executor->submit(::getpid).get().value();
        if (resized_first) {
            CHECK(get_reusable_executor({.max_workers = 1}) == executor);
        }
        ::kill(worker, SIGKILL);
        if (!resized_first) {
            CHECK(get_reusable_executor({.max_workers = 1}) == executor);
        }
        CHECK(get_reusable_executor({.max_workers = 2}) == executor);
        CHECK(executor->submit(::getpid).get().value() != worker);
    }
}

TEST_CASE("test_queue_full_deadlock: tasks that cannot be encoded hold nothing up", "[reusable]") {
    const test::ends_reusable end;
    const auto executor = get_reusable_executor({.max_workers = 1});
    for (int i = 0; i < 100; ++i) {
        CHECK(executor->submit(take_encode, at_task_encode{misdeed::throws}).get().error() ==
              errc::encode_failed);
    }
    for (int i = 0; i < 100; ++i) {
        CHECK(executor->submit(same, i).get().value() == i);
    }
}

TEST_CASE("test_informative_error_when_fail_at_unpickle: the failure says what was thrown",
          "[reusable]") {
    const test::ends_reusable end;
    const auto got = get_reusable_executor({.max_workers = 1})
                         ->submit(take_decode, at_task_decode{misdeed::throws})
                         .get();
    CHECK(got.error() == errc::decode_failed);
    CHECK(got.error().message().find("a misdeed") != std::string::npos);
}

TEST_CASE("test_processes_crash_handling_after_executor_gc: a crash after the last handle is gone",
          "[process][reusable]") {
    asio::io_context loop;
    test::meeting meeting(loop);
    std::optional<coproc::job<int>> before;
    std::optional<coproc::job<int>> crashing;
    std::optional<coproc::job<int>> behind;
    {
        const test::ends_reusable end;
        const auto executor = get_reusable_executor({.max_workers = 1});
        before = executor->submit(same, 1);
        crashing = executor->submit(stay_and_crash, meeting.name());
        behind = executor->submit(same, 2);
        get_reusable_executor({.max_workers = 1, .max_queued = 1000}); // and nobody else holds it
    }
    meeting.await_arrival().close();
    CHECK(std::move(*before).get().value() == 1);
    const auto got = std::move(*crashing).get();
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::worker_terminated);
    CHECK(got.error().worker()->signal == SIGSEGV);
    CHECK(std::move(*behind).get().value() == 2);
}

TEST_CASE("test_shutdown_deadlock: a worker killed while the executor shuts down",
          "[process][reusable]") {
    const test::ends_reusable end;
    asio::io_context loop;
    test::meeting meeting(loop);
    const auto executor = get_reusable_executor({.max_workers = 2});
    auto running = executor->submit(stay, meeting.name());
    int pid = 0;
    const auto arrived = meeting.await_arrival(&pid);
    std::promise<void> over;
    executor->async_shutdown({}, [&](coproc::shutdown_report) { over.set_value(); });
    ::kill(pid, SIGKILL);
    over.get_future().get();
    CHECK(std::move(running).get().error() == errc::worker_terminated);
    CHECK(get_reusable_executor({.max_workers = 2})->submit(same, 1).get().value() == 1);
}
