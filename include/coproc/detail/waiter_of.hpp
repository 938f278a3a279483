#pragma once

#include <coproc/detail/job_core.hpp>
#include <coproc/detail/recycling.hpp>

#include <asio/associated_allocator.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

// A completion handler in the waiter's clothes. Its memory comes from the handler's allocator, its
// executor is kept at work, and its cancellation slot is assigned after the handler was moved to
// its place and cleared where the handler runs, just before it is called.
// (asio::any_completion_handler loses a slot that was assigned before the erasure.)
namespace coproc::detail {

/// `Deliver` is a function object: it calls the handler with what the job gives. It lives beside
/// the handler, and is gone from here when it is called.
template <class Handler, class Deliver>
class waiter_of final : public waiter {
    using handler_executor = asio::associated_executor_t<Handler, asio::any_io_executor>;
    // A handler without an allocator of its own gets memory that is recycled.
    using given_allocator = typename std::allocator_traits<
        asio::associated_allocator_t<Handler>>::template rebind_alloc<waiter_of>;
    using allocator = std::conditional_t<std::is_same_v<given_allocator, std::allocator<waiter_of>>,
                                         recycling_allocator<waiter_of>, given_allocator>;
    using work_guard = asio::executor_work_guard<handler_executor>;

public:
    static waiter_of& make(Handler&& handler, const asio::any_io_executor& io,
                           Deliver deliver = Deliver()) {
        allocator memory(asio::get_associated_allocator(handler));
        waiter_of* const place = std::allocator_traits<allocator>::allocate(memory, 1);
        try {
            return *std::construct_at(place, std::move(handler), io, std::move(deliver));
        } catch (...) {
            std::allocator_traits<allocator>::deallocate(memory, place, 1);
            throw;
        }
    }

    waiter_of(Handler&& handler, const asio::any_io_executor& io, Deliver deliver)
        : deliver_(std::move(deliver)),
          handler_(std::move(handler)),
          executor_(asio::get_associated_executor(handler_, io)),
          on_loop_(equals(executor_, io)) {
        // The unfinished job is work enough for the loop itself.
        if (!on_loop_) {
            work_.emplace(executor_);
        }
    }

    /// Lets a signal to the handler's cancellation slot call `on_cancel(type)`.
    template <class OnCancel>
    void assign_slot(OnCancel on_cancel) {
        auto slot = asio::get_associated_cancellation_slot(handler_);
        if (slot.is_connected()) {
            slot.assign(std::move(on_cancel));
        }
    }

    void complete(job_ptr job) override {
        delivery moved{std::move(deliver_), std::move(handler_), std::move(job)};
        const handler_executor executor = executor_;
        const bool on_loop = on_loop_;
        const std::optional<work_guard> work = std::move(work_);
        destroy(moved.handler);
        if (on_loop) {
            moved();
        } else {
            asio::dispatch(executor, std::move(moved));
        }
    }

    void abandon() noexcept override {
        [[maybe_unused]] const Deliver deliver(std::move(deliver_));
        Handler handler(std::move(handler_));
        destroy(handler);
        asio::get_associated_cancellation_slot(handler).clear();
    }

private:
    struct delivery {
        using allocator_type = asio::associated_allocator_t<Handler>;
        allocator_type get_allocator() const noexcept {
            return asio::get_associated_allocator(handler);
        }

        void operator()() {
            asio::get_associated_cancellation_slot(handler).clear();
            std::move(deliver)(std::move(handler), std::move(job));
        }

        [[no_unique_address]] Deliver deliver;
        Handler handler;
        job_ptr job;
    };

    static bool equals(const handler_executor& executor, const asio::any_io_executor& io) {
        if constexpr (std::is_same_v<handler_executor, asio::any_io_executor>) {
            return executor == io;
        } else {
            const auto* const same = io.target<handler_executor>();
            return same != nullptr && *same == executor;
        }
    }

    void destroy(const Handler& handler) noexcept {
        allocator memory(asio::get_associated_allocator(handler));
        std::destroy_at(this);
        std::allocator_traits<allocator>::deallocate(memory, this, 1);
    }

    [[no_unique_address]] Deliver deliver_;
    Handler handler_;
    handler_executor executor_;
    std::optional<work_guard> work_;
    bool on_loop_;
};

/// What starts a wait, so that neither handler nor memory is lost if it throws.
template <class Waiter, class Begin>
void begin_or_abandon(Waiter& w, Begin begin) {
    try {
        begin();
    } catch (...) {
        w.abandon();
        throw;
    }
}

} // namespace coproc::detail
