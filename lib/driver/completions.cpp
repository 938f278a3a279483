#include "driver/executor_impl.hpp"

#include <asio/post.hpp>

#include <bit>

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

// As many as fit into 50 us, those included that handlers make ready meanwhile: a coroutine that
// takes one finished job after the other does not go round the loop for each.
void executor_impl::run(ready_batch mine) {
    /// Runs also when a handler throws: what is left is posted.
    struct ending {
        executor_impl& self;
        ready_batch& left;
        unsigned called = 0;
        ~ending() { self.end_turn(left, called); }
    } turn{*this, mine};
    constexpr auto slice = std::chrono::microseconds(50);
    // The clock is looked at often in the beginning, so that a slow handler is noticed at once.
    const auto look = [](unsigned called) {
        return called % 16 == 0 || std::has_single_bit(called);
    };
    const clock::time_point end = clock::now() + slice;
    while (!mine.empty() || refill(mine)) {
        ready_batch::entry next = mine.take();
        ++turn.called;
        if (next.waiting != nullptr) {
            next.waiting->complete(std::move(next.job));
        }
        if (look(turn.called) && clock::now() >= end) {
            return;
        }
    }
}

bool executor_impl::refill(ready_batch& used_up) {
    used_up.reset();
    const std::lock_guard lock(mutex_);
    std::swap(used_up, ready_);
    return !used_up.empty();
}

// Quick handlers stay together. Slow ones are posted one by one, for as many threads as run the
// loop.
void executor_impl::end_turn(ready_batch& left, unsigned called) {
    constexpr unsigned quick = 8; // in one slice
    const std::lock_guard lock(mutex_);
    while (!left.empty() && called < quick) {
        ready_batch one;
        ready_batch::entry next = left.take();
        one.add(next.waiting, std::move(next.job));
        post(std::move(one));
    }
    if (left.empty()) {
        left.reset();
        spare_ = std::move(left);
    } else {
        post(std::move(left));
    }
    post_ready();
    rest();
}

void executor_impl::post(ready_batch batch) {
    asio::post(io_, [self = shared_from_this(), mine = std::move(batch)]() mutable {
        self->run(std::move(mine));
    });
}

} // namespace coproc::detail
