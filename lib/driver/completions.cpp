#include "driver/executor_impl.hpp"

#include <asio/post.hpp>

// Handlers are called here and nowhere else: last in our own completion handlers, without the
// mutex.
namespace coproc::detail {
void executor_impl::post_ready() {
    if (!ready_posted_ && !ready_.empty()) {
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

void executor_impl::run_ready() {
    ready_batch mine;
    {
        const std::lock_guard lock(mutex_);
        mine = std::move(ready_);
        ready_ = std::move(spare_);
    }
    run(std::move(mine));
}

void executor_impl::run(ready_batch mine) {
    /// Runs also when a handler throws: what is left is posted.
    struct ending {
        executor_impl& self;
        ready_batch& left;
        ~ending() { self.end_turn(left); }
    } at_end{*this, mine};
    // As many as fit into 50 us; the others wait for the loop to come round.
    constexpr auto slice = std::chrono::microseconds(50);
    constexpr unsigned between_looks = 16;
    clock::time_point end;
    for (unsigned called = 0; !mine.empty(); ++called) {
        if (called % between_looks == between_looks - 1) {
            const clock::time_point now = clock::now();
            if (called == between_looks - 1) {
                end = now + slice;
            } else if (now >= end) {
                return;
            }
        }
        ready_batch::entry next = mine.take();
        if (next.waiting != nullptr) {
            next.waiting->complete(std::move(next.job));
        }
    }
}

void executor_impl::end_turn(ready_batch& left) {
    const std::lock_guard lock(mutex_);
    if (left.empty()) {
        left.reset();
        spare_ = std::move(left);
    } else {
        asio::post(io_, [self = shared_from_this(), batch = std::move(left)]() mutable {
            self->run(std::move(batch));
        });
    }
    post_ready();
    rest();
}

} // namespace coproc::detail
