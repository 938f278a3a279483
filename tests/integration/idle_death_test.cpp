#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/processes.hpp"

#include <coproc/coproc.hpp>

#include <algorithm>
#include <csignal>
#include <vector>

#include <unistd.h>

// Workers that end while nobody looks at them.

namespace {

int same(int n) { return n; }

void start_workers(asio::io_context& loop, coproc::executor& executor, std::size_t count) {
    bool ready = false;
    executor.async_start(count, [&](coproc::result<void> started) { ready = started.has_value(); });
    test::run(loop);
    CHECK(ready);
}

/// All that this process has, a zygote, too; it does not reap them.
std::vector<int> kill_children() {
    const auto children = test::children();
    for (const int pid : children) {
        const int watched = test::open_process(pid);
        ::kill(pid, SIGKILL);
        CHECK(test::await_end(watched, 20'000));
        ::close(watched);
    }
    return {children.begin(), children.end()};
}

} // namespace

TEST_CASE("workers that were started in advance and killed while idle cost nothing",
          "[process][crash]") {
    for (const std::size_t workers : {1, 2, 5, 9}) {
        INFO(workers);
        asio::io_context loop;
        coproc::executor executor(loop, {.max_workers = workers, .max_failed_starts = 2});
        start_workers(loop, executor, workers);
        CHECK(kill_children().size() >= workers);
        auto job = executor.submit(same, 7);
        test::run(loop);
        const auto got = std::move(job).get();
        INFO((got ? "" : got.error().message()));
        REQUIRE(got.has_value());
        CHECK(got.value() == 7);
        CHECK(executor.stats().crashed_workers == workers);
    }
    CHECK_FALSE(test::has_children());
}

TEST_CASE("who asks for ready workers gets living ones", "[process][crash]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 3});
    start_workers(loop, executor, 3);
    const std::vector<int> dead = kill_children();
    start_workers(loop, executor, 3);
    CHECK(executor.stats().idle_workers == 3);
    const auto living = test::children();
    CHECK(living.size() == dead.size());
    for (const int pid : living) {
        CHECK(std::find(dead.begin(), dead.end(), pid) == dead.end());
    }
}
