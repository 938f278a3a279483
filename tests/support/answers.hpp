#pragma once

#include "support/loop.hpp"

#include <coproc/coproc.hpp>

#include <utility>

namespace test {

/// What one task gives, in a worker of its own.
template <class... Args>
auto answer_of(Args&&... args) {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    auto job = executor.submit(std::forward<Args>(args)...);
    run(loop);
    REQUIRE(job.ready());
    return std::move(job).get();
}

} // namespace test
