#pragma once

#include "memory/shared_page.hpp"

#include <atomic>
#include <cstdint>
#include <stop_token>
#include <thread>

namespace coproc::worker {

/// Makes a std::stop_token of the stop word in the shared page, for a task that takes one. Nothing
/// in a thread that computes can call request_stop, so a thread of its own waits for the word, as
/// long as this object lives.
class stop_watch {
public:
    stop_watch(const memory::shared_page& page, std::uint64_t sequence);
    ~stop_watch();
    stop_watch(const stop_watch&) = delete;
    stop_watch& operator=(const stop_watch&) = delete;

    [[nodiscard]] std::stop_token token() const noexcept { return source_.get_token(); }

private:
    void wait();

    const memory::shared_page& page_;
    const std::uint64_t sequence_;
    std::stop_source source_;
    std::atomic<bool> over_ = false;
    std::thread thread_;
};

} // namespace coproc::worker
