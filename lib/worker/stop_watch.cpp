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
    while (!over_.load(std::memory_order_acquire)) {
        if (page_.stop_requested(sequence_)) {
            source_.request_stop();
            return;
        }
        // Woken for both reasons; the limit covers a wake-up between the two looks and the sleep.
        page_.wait_for_stop(std::chrono::milliseconds(50));
    }
}

} // namespace coproc::worker
