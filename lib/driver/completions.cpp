#include "driver/deliver.hpp"
#include "driver/executor_impl.hpp"

#include <asio/post.hpp>

#include <bit>

// Handlers are called here and nowhere else: last in our own completion handlers, without the
// mutex.
namespace coproc::detail {

void executor_impl::post_ready() {
    if (!ready_posted_ && (!ready_.empty() || events_.waits())) {
        ready_posted_ = true;
        asio::post(io_, [self = shared_from_this()] {
            {
                const std::lock_guard lock(self->mutex_);
                self->ready_posted_ = false;
            }
            self->run_ready();
        });
    }
}

// As many as fit into 50 us, those included that handlers make ready meanwhile: a coroutine that
// takes one finished job after the other does not go round the loop for each.
void executor_impl::run_ready() {
    /// Runs also when a handler throws.
    struct ending {
        executor_impl& self;
        ~ending() {
            const std::lock_guard lock(self.mutex_);
            self.post_ready();
            self.rest();
        }
    } at_end{*this};
    if (options_.observer) {
        tell_events();
    }
    constexpr auto slice = std::chrono::microseconds(50);
    // The clock is looked at often in the beginning, so that a slow handler is noticed at once.
    const auto look = [](unsigned called) {
        return called % 16 == 0 || std::has_single_bit(called);
    };
    const clock::time_point end = clock::now() + slice;
    for (unsigned called = 1;; ++called) {
        ready_queue::entry next;
        {
            const std::lock_guard lock(mutex_);
            if (ready_.empty()) {
                return;
            }
            next = ready_.take();
            post_ready(); // the others need not wait for this one if the loop has more threads
        }
        if (next.waiting != nullptr) {
            deliver(*next.waiting, std::move(next.job));
        }
        if (look(called) && clock::now() >= end) {
            return;
        }
    }
}

} // namespace coproc::detail
