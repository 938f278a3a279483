#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"

#include <coproc/coproc.hpp>
#include <coproc/map.hpp>
#include <coproc/wait.hpp>

#include <memory>
#include <optional>
#include <vector>

// What readers of a stream may do at awkward moments.

namespace {

using coproc::errc;
using jobs = std::vector<coproc::job<int>>;

int same(int n) { return n; }

/// Calls `read` when a job is done, while the end of the only job of a stream has not been told.
template <class Read>
void before_the_end_is_told(Read read) {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto earlier = executor.submit(same, 1);
    jobs later;
    later.push_back(executor.submit(same, 2));
    auto stream = coproc::as_completed(std::move(later));
    bool called = false;
    earlier.async_wait([&] {
        called = true;
        read(stream);
    });
    earlier.cancel(); // both are done now, and the loop has still to say so, in this order
    stream.cancel();
    test::run(loop);
    CHECK(called);
    CHECK(stream.ended());
}

} // namespace

TEST_CASE("blocking on a loop for a job that is done, which the loop has still to tell, is refused",
          "[stream][wait]") {
    before_the_end_is_told([](coproc::stream<int>& s) {
        CHECK_THROWS_AS(s.next(), coproc::failed);
        s.async_next([](const std::optional<coproc::element<int>>& e) {
            REQUIRE(e); // nothing is lost
            CHECK(e->error() == errc::cancelled);
        });
    });
    before_the_end_is_told([](coproc::stream<int>& s) {
        const auto all = s.get();
        CHECK(all.error() == errc::would_deadlock);
    });
}
