#include "driver/executor_impl.hpp"

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <memory>
#include <new>
#include <utility>

// One worker's socket: frames out, and when to look at what has come in.
namespace coproc::detail {

// ---- out

// Frames are written when the worker has no more left to do than what waits for it here: so it
// never runs dry, and a thousand tasks cost ten system calls. While it has more, its next answers
// bring us back here.
void executor_impl::flush() {
    std::size_t kept = 0;
    for (const std::uint32_t worker : dirty_) {
        worker_link* const l = link(worker);
        if (l == nullptr) {
            continue;
        }
        if (pool_.worker_at(worker).tasks.unsettled() <= 2 * l->unwritten) {
            l->dirty = false;
            write(worker);
        } else {
            dirty_[kept++] = worker;
        }
    }
    dirty_.resize(kept);
}

void executor_impl::write(std::uint32_t worker) {
    const link_ptr& l = links_[worker];
    if (l->awaits_room) {
        return;
    }
    const worker_link::written result = l->write();
    if (result != worker_link::written::all) {
        wait_for_room(l, result, [worker](executor_impl& self) { self.write(worker); });
    }
}

void executor_impl::wait_for_room(const link_ptr& l, worker_link::written result,
                                  std::function<void(executor_impl&)> again) {
    l->awaits_room = true;
    const auto go_on = [self = shared_from_this(), l,
                        again = std::move(again)](const asio::error_code&) {
        const std::lock_guard lock(self->mutex_);
        l->awaits_room = false;
        // Also if the wait was given up in rest(): a task may have come since.
        if (!l->gone) {
            again(*self);
        }
    };
    if (result == worker_link::written::no_room) {
        l->socket.async_wait(asio::local::stream_protocol::socket::wait_write, go_on);
        return;
    }
    // Nobody tells when others of this user have taken theirs, and the socket is writable.
    auto timer = std::make_unique<asio::steady_timer>(io_, std::chrono::milliseconds(10));
    asio::steady_timer& waits = *timer;
    waits.async_wait([go_on, timer = std::move(timer)](const asio::error_code& e) { go_on(e); });
}

// Also workers that have nothing to do hold closed memory until they are told.
void executor_impl::tell_of_closed_extents() {
    const std::uint64_t closings = memory::arena::closings();
    if (closings == closings_seen_ || stopped_) {
        return;
    }
    closings_seen_ = closings;
    for (std::uint32_t w = 0; w < links_.size(); ++w) {
        if (worker_link* const l = link(w); l != nullptr && l->forget_extents()) {
            write(w);
        }
    }
}

void executor_impl::forget_extents() noexcept {
    if (forked()) {
        return;
    }
    const std::lock_guard lock(mutex_);
    tell_of_closed_extents();
}

// ---- in

void executor_impl::read(std::uint32_t worker) {
    const link_ptr& l = links_[worker];
    std::span<std::byte> into;
    try {
        into = l->reader.prepare();
    } catch (const std::bad_alloc&) {
        sent_too_much(*l, worker);
        return;
    }
    l->reading = true;
    l->socket.async_read_some(
        asio::buffer(into.data(), into.size()),
        [self = shared_from_this(), l, worker](const asio::error_code& error, std::size_t bytes) {
            self->on_read(l, worker, error, bytes);
        });
}

void executor_impl::on_read(const link_ptr& l, std::uint32_t worker, const asio::error_code& error,
                            std::size_t bytes) {
    {
        const std::lock_guard lock(mutex_);
        l->reading = false;
        if (l->gone) {
            return;
        }
        l->reader.commit(bytes);
        if (l->reaped) {
            finish_death(*l, worker);
        } else if (!error) {
            take_all(*l, worker);
        } else if (error != asio::error::operation_aborted) {
            end_of_stream(*l, worker);
        } // else it was cancelled in rest(), and may be wanted again
        perform();
        after_events();
    }
    run_ready();
}

// While answers keep coming, the ring is looked at once in a turn of the loop, and the worker need
// not ring: the bell is armed when a look has found nothing.
void executor_impl::look_again_later(std::uint32_t worker) {
    const link_ptr& l = links_[worker];
    l->look_posted = true;
    asio::post(io_, [self = shared_from_this(), l, worker] { self->look_again(l, worker); });
}

void executor_impl::look_again(const link_ptr& l, std::uint32_t worker) {
    {
        const std::lock_guard lock(mutex_);
        l->look_posted = false;
        if (l->gone) {
            return;
        }
        take_all(*l, worker);
        perform();
        after_events();
    }
    run_ready();
}

void executor_impl::take_all(worker_link& l, std::uint32_t worker) {
    take_frames(l, worker);
    take_ring(l, worker);
    look_for_crash(l, worker);
    if (std::exchange(l.retires, false)) { // the reply of the task that asked for it may be, too
        pool_.retire(worker, retire_reason::asked, clock::now(), actions_);
    }
    const std::size_t replies = std::exchange(l.replies, 0);
    const clock::time_point now = clock::now();
    if (replies > 0 && l.memory && l.memory->is_due(now)) {
        look_at_memory(l, worker, now); // before it is given more to do
    }
    pool_.drained(worker, replies, now, actions_);
    const bool reported = std::exchange(l.reported, false);
    if ((replies > 0 || reported) && !l.look_posted && !l.gone &&
        pool_.worker_at(worker).tasks.unsettled() > 0) {
        look_again_later(worker);
    }
}

} // namespace coproc::detail
