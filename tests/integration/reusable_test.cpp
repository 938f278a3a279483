#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/reusable.hpp"

#include <coproc/codecs/string.hpp>
#include <coproc/coproc.hpp>
#include <coproc/cpu_count.hpp>
#include <coproc/event.hpp>
#include <coproc/reusable.hpp>

#include <atomic>
#include <cstdlib>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <unistd.h>

// Which executor get_reusable_executor gives, and what becomes of the one that was there. Names in
// quotes are those of loky's tests.

namespace {

using coproc::errc;
using coproc::get_reusable_executor;
using coproc::reuse_policy;
using namespace std::chrono_literals;

int same(int n) { return n; }

int stay(std::string name) {
    test::visit(name).await_leave();
    return ::getpid();
}

std::string value_of(std::string name) {
    const char* const value = std::getenv(name.c_str());
    return value == nullptr ? "(none)" : value;
}

void keep(int value) { coproc::this_worker::local<int>(value); }
int kept() { return coproc::this_worker::local<int>(0); }

} // namespace

TEST_CASE("test_reused_flag: an executor is reused until it is shut down", "[reusable]") {
    const test::ends_reusable end;
    const auto first = get_reusable_executor({.max_workers = 2});
    CHECK(get_reusable_executor({.max_workers = 2}) == first);
    CHECK(get_reusable_executor() == first); // no opinion of its size
    first->shutdown();
    const auto second = get_reusable_executor();
    CHECK(second != first);
    CHECK(first->submit(same, 1).get().error() == errc::executor_shutdown);
    CHECK(second->submit(same, 1).get().value() == 1);
    second->stop();
    const auto third = get_reusable_executor();
    CHECK(third != second);
    CHECK(third->submit(same, 1).get().value() == 1);
}

TEST_CASE("there is one executor of a name", "[reusable]") {
    const test::ends_reusable end;
    const test::ends_reusable other_end("other");
    const auto ours = get_reusable_executor({.max_workers = 1});
    const auto others = get_reusable_executor({.max_queued = 9}, {.name = "other"});
    CHECK(ours != others);
    CHECK(get_reusable_executor() == ours);
    CHECK(get_reusable_executor({.max_queued = 9}, {.name = "other"}) == others);
    CHECK(others->submit(same, 1).get().value() == 1);
}

TEST_CASE("test_reusable_executor_reuse_true: always keeps the options, automatic does not",
          "[reusable]") {
    const test::ends_reusable end;
    const auto first = get_reusable_executor({.max_workers = 3, .idle_timeout = 42s});
    CHECK(get_reusable_executor({}, {.reuse = reuse_policy::always}) == first);
    CHECK(get_reusable_executor({.idle_timeout = 42s}) == first);
    const auto plain = get_reusable_executor();
    CHECK(plain != first);
    CHECK(get_reusable_executor() == plain);
    CHECK(get_reusable_executor({.idle_timeout = 10s}) == plain); // the default
    CHECK(get_reusable_executor({.idle_timeout = coproc::no_limit}) != plain);
    const auto last = get_reusable_executor({}, {.reuse = reuse_policy::never});
    CHECK(last != plain);
    CHECK(get_reusable_executor({}, {.reuse = reuse_policy::never}) != last);
    CHECK(first->submit(same, 1).get().value() == 1); // replaced, and held
}

TEST_CASE("test_reusable_initializer: another environment is another executor",
          "[process][reusable]") {
    const test::ends_reusable end;
    const auto first = get_reusable_executor({.max_workers = 1, .environment = {{"A", "1"}}});
    CHECK(first->submit(value_of, "A").get().value() == "1");
    const auto second = get_reusable_executor({.max_workers = 1, .environment = {{"A", "2"}}});
    CHECK(second != first);
    CHECK(second->submit(value_of, "A").get().value() == "2");
    const auto kept = get_reusable_executor({}, {.reuse = reuse_policy::always});
    CHECK(kept->submit(value_of, "A").get().value() == "2");
    CHECK(get_reusable_executor()->submit(value_of, "A").get().value() == "(none)");
}

TEST_CASE("test_reusable_initializer: other initializers are another executor", "[reusable]") {
    const test::ends_reusable end;
    const auto with = [](int value) {
        return coproc::executor_options{.max_workers = 1,
                                        .initializers = {coproc::call(keep, value)}};
    };
    const auto first = get_reusable_executor(with(1));
    CHECK(first->submit(kept).get().value() == 1);
    CHECK(get_reusable_executor(with(1)) == first);
    const auto second = get_reusable_executor(with(2));
    CHECK(second != first);
    CHECK(second->submit(kept).get().value() == 2);
    CHECK(get_reusable_executor({}, {.reuse = reuse_policy::always}) == second);
    CHECK(get_reusable_executor()->submit(kept).get().value() == 0);
}

namespace {

/// Counts its copies, which only happen where users' code may run.
struct copy_counter {
    explicit copy_counter(std::atomic<int>& n) : copies(&n) {}
    copy_counter(const copy_counter& other) : copies(other.copies) { ++*copies; }
    copy_counter(copy_counter&&) noexcept = default;
    void operator()(const coproc::event&) const {}

    std::atomic<int>* copies;
};

} // namespace

TEST_CASE("an observer is not copied by who asks for a reusable executor", "[reusable]") {
    const test::ends_reusable end;
    std::atomic<int> copies{0};
    coproc::executor_options options{.max_workers = 1};
    options.observer = copy_counter(copies);
    const int before = copies;
    const auto first = get_reusable_executor(std::move(options));
    CHECK(first->submit(same, 1).get().value() == 1);
    first->shutdown();
    const auto next = get_reusable_executor({}, {.reuse = reuse_policy::always});
    CHECK(next != first);
    CHECK(next->submit(same, 1).get().value() == 1);
    CHECK(copies == before);
}

TEST_CASE("a replacement after a shutdown has the environment that was there",
          "[process][reusable]") {
    const test::ends_reusable end;
    get_reusable_executor({.max_workers = 1, .environment = {{"A", "1"}}})->shutdown();
    const auto next = get_reusable_executor({}, {.reuse = reuse_policy::always});
    CHECK(next->submit(value_of, "A").get().value() == "1");
    next->shutdown();
    const auto same_options = get_reusable_executor({.environment = {{"A", "1"}}});
    CHECK(same_options->submit(value_of, "A").get().value() == "1");
}

TEST_CASE("a replacement after a break has the options that were there", "[process][reusable]") {
    const test::ends_reusable end;
    const auto first = get_reusable_executor(
        {.max_workers = 1, .executable = "/nowhere/at/all", .max_failed_starts = 1});
    CHECK(first->submit(same, 1).get().error() == errc::spawn_failed);
    CHECK(first->submit(same, 1).get().error() == errc::executor_broken);
    const auto next = get_reusable_executor({}, {.reuse = reuse_policy::always});
    CHECK(next != first);
    const auto again = next->submit(same, 1).get();
    CHECK(again.error() == errc::spawn_failed);
    CHECK(again.error().message().find("/nowhere/at/all") != std::string::npos);
    CHECK(get_reusable_executor()->submit(same, 1).get().value() == 1);
}

TEST_CASE("a replacement has the size that was there, also below min_workers", "[reusable]") {
    const test::ends_reusable end;
    const auto first = get_reusable_executor({.max_workers = 3, .min_workers = 2});
    first->resize(1);
    CHECK(get_reusable_executor({.min_workers = 2}) == first);
    first->shutdown();
    const auto next = get_reusable_executor({}, {.reuse = reuse_policy::always});
    CHECK(next->submit(same, 1).get().value() == 1);
    CHECK(next->stats().started_workers == 1);
}

TEST_CASE("test_kill_workers_on_new_options: what runs is killed, and the next one works",
          "[process][reusable]") {
    const test::ends_reusable end;
    asio::io_context loop;
    test::meeting meeting(loop);
    const auto first = get_reusable_executor({.max_workers = 1});
    auto running = first->submit({.grace = 0ms}, stay, meeting.name());
    auto queued = first->submit(same, 1);
    const auto arrived = meeting.await_arrival();
    const auto next = get_reusable_executor({.max_queued = 9}, {.kill_workers = true});
    CHECK(std::move(running).get().error() == errc::executor_shutdown);
    CHECK(std::move(queued).get().error() == errc::executor_shutdown);
    CHECK(first->submit(same, 1).get().error() == errc::executor_shutdown);
    CHECK(next->submit(same, 1).get().value() == 1);
}

TEST_CASE("an executor that is replaced serves those who hold it, and its tasks end",
          "[reusable]") {
    const test::ends_reusable end;
    asio::io_context loop;
    test::meeting meeting(loop);
    auto first = get_reusable_executor({.max_workers = 1});
    auto running = first->submit(stay, meeting.name());
    auto queued = first->submit(same, 2);
    auto arrived = meeting.await_arrival();
    const auto next = get_reusable_executor({.max_queued = 9});
    CHECK(next->submit(same, 1).get().value() == 1); // nobody waits for the first one's task
    auto late = first->submit(same, 3);
    first.reset(); // the last one who held it
    CHECK_FALSE(running.ready());
    arrived.close();
    CHECK(std::move(running).get().has_value());
    CHECK(std::move(queued).get().value() == 2);
    CHECK(std::move(late).get().value() == 3);
}

TEST_CASE("test_reusable_executor_resize: workers stay while others come and go", "[reusable]") {
    const test::ends_reusable end;
    asio::io_context loop;
    test::meeting meeting(loop);
    const auto executor = get_reusable_executor({.max_workers = 2});
    auto one = executor->submit(stay, meeting.name());
    auto first = meeting.await_arrival();
    auto other = executor->submit(stay, meeting.name());
    auto second = meeting.await_arrival();
    CHECK(get_reusable_executor({.max_workers = 1}) == executor); // waits for nobody
    CHECK_FALSE(one.ready());
    CHECK_FALSE(other.ready());
    first.close();
    second.close();
    const int a = std::move(one).get().value();
    const int b = std::move(other).get().value();
    const int stayed = executor->submit(::getpid).get().value();
    CHECK((stayed == a || stayed == b));
    CHECK(get_reusable_executor({.max_workers = 1}) == executor);
    CHECK(executor->submit(::getpid).get().value() == stayed);
    CHECK(get_reusable_executor({.max_workers = 2}) == executor);
    auto third = executor->submit(stay, meeting.name());
    auto here = meeting.await_arrival();
    auto fourth = executor->submit(stay, meeting.name());
    auto there = meeting.await_arrival();
    here.close();
    there.close();
    const int c = std::move(third).get().value();
    const int d = std::move(fourth).get().value();
    CHECK((c == stayed || d == stayed));
    CHECK(executor->stats().crashed_workers == 0);
}

TEST_CASE("test_reusable_executor_resize_many_times: sizes change while tasks run", "[reusable]") {
    const test::ends_reusable end;
    for (const reuse_policy reuse : {reuse_policy::automatic, reuse_policy::always}) {
        for (const bool kill : {false, true}) {
            std::vector<coproc::job<int>> jobs;
            for (const std::size_t size : {12, 2, 1, 12, 6, 1, 8, 5}) {
                const auto executor = get_reusable_executor({.max_workers = size},
                                                            {.reuse = reuse, .kill_workers = kill});
                for (int i = 0; i < 10; ++i) {
                    jobs.push_back(executor->submit(same, static_cast<int>(jobs.size())));
                }
            }
            for (std::size_t i = 0; i < jobs.size(); ++i) {
                CHECK(std::move(jobs[i]).get().value() == static_cast<int>(i));
            }
        }
    }
}

TEST_CASE("test_resize_after_timeout: workers come back after they have left", "[reusable]") {
    const test::ends_reusable end;
    for (const std::size_t size : {1, 3, 2, 4}) {
        const auto executor = get_reusable_executor({.max_workers = size, .idle_timeout = 1ms});
        CHECK(executor->submit(same, 1).get().value() == 1);
        test::await([&] { return test::workers_of(*executor) == 0; });
        CHECK(executor->stats().crashed_workers == 0);
    }
}

TEST_CASE("test_worker_timeout_mock: no task is lost to a worker that times out", "[reusable]") {
    const test::ends_reusable end;
    const coproc::executor_options options{.max_workers = 2, .idle_timeout = 0ms};
    for (int i = 0; i < 50; ++i) {
        CHECK(get_reusable_executor(options)->submit(same, i).get().value() == i);
    }
    CHECK(get_reusable_executor(options)->stats().crashed_workers == 0);
}

TEST_CASE("test_invalid_process_number: sizes that cannot be are refused by name", "[reusable]") {
    const test::ends_reusable end;
    const auto refused = [](const coproc::executor_options& options, const std::string& field) {
        INFO(field);
        try {
            static_cast<void>(get_reusable_executor(options));
            FAIL_CHECK("not refused");
        } catch (const std::invalid_argument& error) {
            CHECK(std::string(error.what()).find(field) != std::string::npos);
        }
    };
    const std::size_t none = 0;
    refused({.max_workers = none}, "max_workers"); // nothing is there yet
    const auto executor = get_reusable_executor({.max_workers = 2, .min_workers = 2});
    refused({.max_workers = none}, "max_workers");
    refused({.max_workers = none, .min_workers = 2}, "max_workers");
    refused({.max_workers = 1, .min_workers = 2}, "min_workers"); // a resize otherwise
    refused({.max_queued = 0}, "max_queued");                     // a replacement otherwise
    CHECK(get_reusable_executor({.min_workers = 2}) == executor);
    CHECK(executor->submit(same, 1).get().value() == 1);
}

TEST_CASE("a reuse of no policy is refused by name, and changes nothing", "[reusable]") {
    const test::ends_reusable end;
    const auto executor = get_reusable_executor({.max_workers = 1});
    const coproc::reuse_options wrong{.reuse = static_cast<coproc::reuse_policy>(77)};
    CHECK_THROWS_AS(get_reusable_executor({.max_workers = 2}, wrong), std::invalid_argument);
    CHECK_THROWS_WITH(get_reusable_executor({.max_queued = 5}, wrong),
                      "coproc: reuse_options::reuse must be one of automatic, always and never");
    CHECK(get_reusable_executor({.max_workers = 1}) == executor);
    CHECK(executor->submit(same, 1).get().value() == 1);
}

TEST_CASE("test_reusable_executor_queue_size: as many tasks run as there are workers",
          "[reusable]") {
    const test::ends_reusable end;
    for (const std::size_t more : {1, 2, 4}) {
        asio::io_context loop;
        test::meeting meeting(loop);
        const std::size_t size = coproc::cpu_count() + more;
        const auto executor = get_reusable_executor({.max_workers = size});
        std::vector<coproc::job<int>> jobs;
        for (std::size_t i = 0; i < size; ++i) {
            jobs.push_back(executor->submit(stay, meeting.name()));
        }
        std::vector<test::meeting_socket> together;
        for (std::size_t i = 0; i < size; ++i) {
            together.push_back(meeting.await_arrival());
        }
        together.clear();
        for (auto& job : jobs) {
            CHECK(std::move(job).get().has_value());
        }
    }
}

// ---- from handlers

TEST_CASE("D7: a handler may ask for another size while tasks are pending", "[reusable]") {
    const test::ends_reusable end;
    const auto executor = get_reusable_executor({.max_workers = 2});
    std::promise<bool> asked;
    std::vector<coproc::job<int>> pending;
    executor->submit(same, 1)([&](const coproc::result<int>&) {
        for (int i = 0; i < 20; ++i) {
            pending.push_back(executor->submit(same, i));
        }
        asked.set_value(get_reusable_executor({.max_workers = 1}) == executor &&
                        get_reusable_executor({.max_workers = 4}) == executor);
    });
    CHECK(asked.get_future().get());
    for (int i = 0; i < 20; ++i) {
        CHECK(std::move(pending[static_cast<std::size_t>(i)]).get().value() == i);
    }
}

TEST_CASE("D8: a handler may ask for other options while tasks are pending", "[reusable]") {
    const test::ends_reusable end;
    for (const bool kill : {false, true}) {
        std::promise<std::shared_ptr<coproc::executor>> next;
        std::optional<coproc::job<int>> pending;
        // Nobody but the registry holds it, and its own handler lets it go.
        coproc::executor& executor = *get_reusable_executor({.max_workers = 1});
        executor.submit(same, 1)([&](const coproc::result<int>&) {
            pending = get_reusable_executor({.max_workers = 1})->submit(same, 2);
            next.set_value(get_reusable_executor({.max_queued = 9}, {.kill_workers = kill}));
        });
        const auto got = next.get_future().get();
        CHECK(got->submit(same, 3).get().value() == 3);
        const auto old = std::move(*pending).get();
        CHECK(
            (kill ? old.has_value() || old.error() == errc::executor_shutdown : old.value() == 2));
    }
}

TEST_CASE("D5: the tasks of an executor that nobody holds are done, while its workers are replaced",
          "[reusable]") {
    const test::ends_reusable end;
    std::vector<coproc::job<int>> jobs;
    for (int i = 0; i < 30; ++i) {
        jobs.push_back(
            get_reusable_executor({.max_workers = 2, .max_tasks_per_worker = 3})->submit(same, i));
    }
    static_cast<void>(get_reusable_executor());
    for (int i = 0; i < 30; ++i) {
        CHECK(std::move(jobs[static_cast<std::size_t>(i)]).get().value() == i);
    }
}

TEST_CASE("D6: the tasks of an executor that is shut down are done, while its workers are replaced",
          "[reusable]") {
    const test::ends_reusable end;
    const auto executor = get_reusable_executor({.max_workers = 2, .max_tasks_per_worker = 3});
    std::vector<coproc::job<int>> jobs;
    for (int i = 0; i < 30; ++i) {
        jobs.push_back(executor->submit(same, i));
    }
    std::promise<coproc::shutdown_report> over;
    executor->async_shutdown({}, [&](coproc::shutdown_report report) { over.set_value(report); });
    CHECK(get_reusable_executor() != executor); // waits for nobody
    for (int i = 0; i < 30; ++i) {
        CHECK(std::move(jobs[static_cast<std::size_t>(i)]).get().value() == i);
    }
    CHECK(over.get_future().get().cancelled == 0);
}

// ---- from many threads

TEST_CASE("test_reusable_executor_thread_safety: many threads ask and submit", "[reusable]") {
    for (const bool vary : {false, true}) {
        for (const bool broken : {false, true}) {
            const test::ends_reusable end;
            if (broken) {
                get_reusable_executor({.max_workers = 2})->stop();
            }
            std::atomic<int> right = 0;
            test::in_threads(10, [&](int thread) {
                for (int i = 0; i < 20; ++i) {
                    const auto size = static_cast<std::size_t>(vary ? (thread + i) % 3 + 1 : 2);
                    const auto executor = get_reusable_executor({.max_workers = size});
                    right += executor->submit(same, i).get().value() == i;
                }
            });
            CHECK(right == 200);
        }
    }
}

TEST_CASE("test_reusable_executor_submit_during_shutdown_race: the one that was replaced serves",
          "[reusable]") {
    const test::ends_reusable end;
    std::atomic<int> right = 0;
    test::in_threads(4, [&](int thread) {
        for (int i = 0; i < 20; ++i) {
            const auto executor = get_reusable_executor(
                {.max_workers = 1, .max_queued = 100 + static_cast<std::size_t>(thread % 2)});
            right += executor->submit(same, i).get().value() == i;
        }
    });
    CHECK(right == 80);
}

TEST_CASE("test_reusable_executor_submit_with_concurrent_env_changes: each has its own",
          "[process][reusable]") {
    for (const bool held : {false, true}) {
        const test::ends_reusable end;
        std::atomic<int> right = 0;
        test::in_threads(10, [&](int thread) {
            const std::string mine = std::to_string(thread);
            std::vector<coproc::job<std::string>> jobs;
            for (int i = 0; i < 5; ++i) {
                const auto executor =
                    get_reusable_executor({.max_workers = 1, .environment = {{"A", mine}}});
                jobs.push_back(executor->submit(value_of, "A"));
                if (held) {
                    jobs.back().async_wait([executor] {});
                }
            }
            for (auto& job : jobs) {
                right += std::move(job).get().value() == mine;
            }
        });
        CHECK(right == 50);
    }
}

TEST_CASE("options with an observer make an executor of their own, which tells to the end",
          "[reusable]") {
    const test::ends_reusable end;
    const auto done = std::make_shared<std::atomic<int>>(0); // the last events come late
    coproc::executor_options options{.max_workers = 1};
    options.observer = [done](const coproc::event& e) {
        *done += std::holds_alternative<coproc::task_done>(e);
    };
    auto watched = get_reusable_executor(options);
    CHECK(get_reusable_executor(options, {.reuse = coproc::reuse_policy::always}) == watched);
    CHECK(get_reusable_executor(options) != watched);
    for (int i = 0; i < 10; ++i) {
        watched->submit(same, i).detach();
    }
    watched.reset(); // by the last who holds it
    test::await([&] { return *done == 10; });
}
