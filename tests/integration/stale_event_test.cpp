#include "support/catch.hpp"
#include "support/loop.hpp"

#include <coproc/coproc.hpp>

#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>

#include <utility>

#include <fcntl.h>
#include <unistd.h>

// Asio keeps the state of a descriptor that is closed for the next one that is opened, also while
// an event of the closed one is queued for it. A wait on the next one is then completed by that
// event.

namespace {

int twice(int n) { return 2 * n; }

/// A pipe whose end is watched by the loop.
class watched_pipe {
public:
    explicit watched_pipe(asio::io_context& loop) : end_(loop) {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        end_.assign(ends[0]);
        other_ = ends[1];
        end_.async_wait(asio::posix::stream_descriptor::wait_read, [](const asio::error_code&) {});
    }
    ~watched_pipe() { ::close(other_); }
    watched_pipe(const watched_pipe&) = delete;
    watched_pipe& operator=(const watched_pipe&) = delete;

    void fill() const { REQUIRE(::write(other_, "x", 1) == 1); }
    void close() { end_.close(); }

private:
    asio::posix::stream_descriptor end_;
    int other_ = -1;
};

void check_that_one_worker_is_started(asio::io_context& loop, coproc::executor& executor) {
    auto job = executor.submit(twice, 4);
    test::run(loop);
    REQUIRE(job.ready());
    const auto got = std::move(job).get();
    CHECK(got.value() == 8);
    CHECK(executor.stats().started_workers == 1);
    CHECK(executor.stats().crashed_workers == 0);
}

} // namespace

TEST_CASE("a worker is not taken for dead by an event of a descriptor that was closed",
          "[process][loop]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    watched_pipe pipe(loop);
    pipe.fill();
    // The loop will look for events, then close the pipe, then start the worker, and only then come
    // to the event of the pipe.
    asio::post(loop, [&] { pipe.close(); });
    check_that_one_worker_is_started(loop, executor);
}

// Nor the process that forks workers, which is started a turn of the loop later.
TEST_CASE("a zygote is not taken for dead by an event of a descriptor that was closed",
          "[process][loop]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    watched_pipe pipe(loop);
    asio::post(loop, [&] {
        pipe.fill();
        asio::post(loop, [&] { pipe.close(); });
    });
    check_that_one_worker_is_started(loop, executor);
}
