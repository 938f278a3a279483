#include "worker/stop_watch.hpp"

namespace coproc::worker {

stop_watch::stop_watch(const memory::shared_page& page, std::uint64_t sequence)
    : page_(page), sequence_(sequence), thread_([this] { wait(); }) {}

stop_watch::~stop_watch() {
    over_.store(true, std::memory_order_release);
    page_.wake_stop_waiters();
    thread_.join();
}

void stop_watch::wait() {
    for (;;) {
        const std::uint64_t seen = page_.stop_word();
        if (page_.stop_requested(sequence_)) {
            source_.request_stop();
            return;
        }
        if (over_.load(std::memory_order_acquire)) {
            return;
        }
        // The limit covers the end of the task just between that look and the sleep: it does not
        // change the word.
        page_.wait_for_stop(seen, std::chrono::milliseconds(5));
    }
}

} // namespace coproc::worker
