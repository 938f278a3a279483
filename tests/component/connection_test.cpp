#include "worker/connection.hpp"

#include "process/unique_fd.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <thread>

#include <pthread.h>
#include <sys/socket.h>

// The worker's end of its socket, under what a task and the machine do to its thread.

namespace {

using coproc::process::unique_fd;

/// A worker's connection and the parent's end of its socket.
struct connected {
    unique_fd parent;
    unique_fd worker;
    std::unique_ptr<coproc::memory::page_layout> page =
        std::make_unique<coproc::memory::page_layout>();
    std::optional<coproc::worker::connection> connection;

    connected() {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        parent = unique_fd(ends[0]);
        worker = unique_fd(ends[1]);
        connection.emplace(worker.get(), *page, page->ring_memory);
    }
};

/// Signals for the thread that makes it, one after the other.
class storm_of_signals {
public:
    storm_of_signals() {
        struct sigaction counts {};
        counts.sa_handler = [](int) { ++delivered; };
        ::sigaction(SIGUSR1, &counts, &before_);
        sender_ = std::thread([this, target = ::pthread_self()] {
            while (!over_) {
                ::pthread_kill(target, SIGUSR1);
            }
        });
    }
    ~storm_of_signals() {
        over_ = true;
        sender_.join();
        ::sigaction(SIGUSR1, &before_, nullptr);
    }

    static inline std::atomic<int> delivered = 0;

private:
    struct sigaction before_ {};
    std::atomic<bool> over_ = false;
    std::thread sender_;
};

} // namespace

TEST_CASE("a connection is open until the parent closes its end, whatever signals come",
          "[connection]") {
    connected both;
    int looks = 0;
    int closed = 0;
    {
        const storm_of_signals storm;
        while (storm.delivered < 20'000) {
            closed += !both.connection->is_open();
            ++looks;
        }
    }
    CHECK(looks > 0);
    CHECK(closed == 0);
    both.parent.reset();
    CHECK_FALSE(both.connection->is_open());
}
