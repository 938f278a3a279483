#include "driver/executor_impl.hpp"

#include <asio/post.hpp>

#include <algorithm>

// Handlers are called here and nowhere else: last in our own completion handlers, without the mutex.
namespace coproc::detail {
namespace {

/// The executor whose handlers this thread is calling: what they submit is written when they are through.
thread_local const executor_impl* calling = nullptr;

class calling_scope {
public:
    explicit calling_scope(const executor_impl* now) : before_(std::exchange(calling, now)) {}
    ~calling_scope() { calling = before_; }
    calling_scope(const calling_scope&) = delete;
    calling_scope& operator=(const calling_scope&) = delete;

private:
    const executor_impl* before_;
};

} // namespace

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
    std::vector<ready_waiter> mine;
    {
        const std::lock_guard lock(mutex_);
        mine.swap(ready_);
    }
    /// Runs also when a handler throws: what is left is posted, and the loop's rest is kept.
    struct ending {
        executor_impl& self;
        std::vector<ready_waiter>& left;
        ~ending() {
            const std::lock_guard lock(self.mutex_);
            if (self.ready_.empty()) {
                self.ready_.swap(left); // keeps the memory, if nothing is left
            } else {
                self.ready_.insert(self.ready_.begin(), std::make_move_iterator(left.begin()),
                                   std::make_move_iterator(left.end()));
            }
            self.post_ready();
            self.flush(true);
            self.rest();
        }
    } at_end{*this, mine};
    run_some(mine);
}

// As many as fit into 50 us; the others wait for the loop to come round.
void executor_impl::run_some(std::vector<ready_waiter>& waiters) {
    constexpr auto slice = std::chrono::microseconds(50);
    constexpr std::size_t between_looks = 16;
    const calling_scope scope(this);
    const clock::time_point end = waiters.size() > 1 ? clock::now() + slice : clock::time_point();
    std::size_t done = 0;
    struct erasing {
        std::vector<ready_waiter>& waiters;
        std::size_t& done;
        ~erasing() {
            waiters.erase(waiters.begin(),
                          waiters.begin() + static_cast<std::ptrdiff_t>(done));
        }
    } at_end{waiters, done};
    while (done < waiters.size()) {
        ready_waiter next = std::move(waiters[done]);
        ++done;
        if (next.waiting != nullptr) {
            next.waiting->complete(std::move(next.job));
        }
        if (done % between_looks == 0 && clock::now() >= end) {
            return;
        }
    }
}

// A worker that has nothing to do gets its task now; what others get is written together, when the handlers that this
// thread is calling are through, or in the loop's next turn.
void executor_impl::flush(bool now) {
    std::size_t kept = 0;
    for (const std::uint32_t worker : dirty_) {
        worker_link* const l = link(worker);
        if (l == nullptr) {
            continue;
        }
        if (now || pool_.worker_at(worker).tasks.unsettled() <= l->unwritten) {
            l->dirty = false;
            write(worker);
        } else {
            dirty_[kept++] = worker;
        }
    }
    dirty_.resize(kept);
    if (kept > 0 && calling != this) {
        flush_later();
    }
}

void executor_impl::flush_later() {
    if (!flush_posted_) {
        flush_posted_ = true;
        asio::post(io_, [self = shared_from_this()] {
            const std::lock_guard lock(self->mutex_);
            self->flush_posted_ = false;
            self->flush(true);
        });
    }
}

} // namespace coproc::detail
