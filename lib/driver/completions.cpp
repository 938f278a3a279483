#include "driver/deliver.hpp"
#include "driver/executor_impl.hpp"

#include <asio/post.hpp>

#include <bit>
#include <cstdint>
#include <optional>

// Handlers are called here and nowhere else: last in our own completion handlers, without the
// mutex.
namespace coproc::detail {

void executor_impl::post_ready() noexcept {
    if (!ready_posted_ && (!ready_.empty() || !unused_.empty() || events_.waits())) {
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
        std::optional<ready_queue::entry> next;
        unused_arrays unused;
        {
            const std::lock_guard lock(mutex_);
            unused.swap(unused_);
            if (!ready_.empty()) {
                next = ready_.take();
                post_ready(); // the others need not wait for this one if the loop has more threads
            }
        }
        let_go(unused); // first: who is told that a task is done has its memory back
        if (!next) {
            return;
        }
        if (next->waiting != nullptr) {
            deliver(*next->waiting, std::move(next->job));
        }
        if (look(called) && clock::now() >= end) {
            return;
        }
    }
}

// Idle workers are to let go of it, too.
void executor_impl::let_go(unused_arrays& arrays) noexcept {
    if (arrays.empty()) {
        return;
    }
    const std::uint64_t before = memory::arena::closings();
    arrays.clear();
    if (memory::arena::closings() != before) {
        forget_extents();
    }
}

} // namespace coproc::detail
