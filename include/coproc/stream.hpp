#pragma once

#include <coproc/detail/collector.hpp>
#include <coproc/detail/stream_core.hpp>
#include <coproc/detail/waiter_of.hpp>
#include <coproc/element.hpp>
#include <coproc/job.hpp>
#include <coproc/result.hpp>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/deferred.hpp>
#include <asio/executor_work_guard.hpp>

#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace coproc {
namespace detail {

template <class R>
struct deliver_element {
    template <class Handler>
    void operator()(Handler&& handler, const job_ptr&) {
        std::optional<coproc::element<R>> next = next_element<R>(*stream);
        stream.reset();
        std::forward<Handler>(handler)(std::move(next));
    }

    stream_ptr stream;
};

/// Starts stream::async_next.
template <class R>
struct initiate_next {
    using executor_type = asio::any_io_executor;
    executor_type get_executor() const noexcept { return io_executor_of(*stream); }

    template <class Handler>
    void operator()(Handler&& handler) const {
        auto& w = waiter_of<std::decay_t<Handler>, deliver_element<R>>::make(
            std::decay_t<Handler>(std::forward<Handler>(handler)), io_executor_of(*stream),
            deliver_element<R>{stream});
        begin_or_abandon(w, [&] {
            w.assign_slot(
                [core = stream, self = &w](asio::cancellation_type) { stop_waiting(*core, self); });
            wait_for_element(*stream, w);
        });
    }

    stream_ptr stream;
};

/// Goes on with a collection, where its handler runs.
template <class R>
struct deliver_collection {
    template <class Handler>
    void operator()(Handler&& handler, const job_ptr&) {
        using waiter_type = waiter_of<std::decay_t<Handler>, deliver_collection>;
        const stream_ptr stream = collected.shared();
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected()) { // the range and codecs are user's code, which may cancel, too
            slot.assign(
                [stream](asio::cancellation_type type) { cancel(*stream, strongest(type)); });
        }
        if (std::optional<result<collection<R>>> end = collected.advance()) {
            collected.drop();
            work.reset();
            slot.clear();
            std::forward<Handler>(handler)(std::move(*end));
            return;
        }
        auto& w = waiter_type::make(std::decay_t<Handler>(std::forward<Handler>(handler)),
                                    io_executor_of(*stream), std::move(*this));
        wait_for_element(*stream, w);
    }

    collector<R> collected;
    /// Between two tasks it is this that keeps the loop at work.
    asio::executor_work_guard<asio::any_io_executor> work;
};

/// Starts stream::async_collect.
template <class R>
struct initiate_collect {
    using executor_type = asio::any_io_executor;
    executor_type get_executor() const noexcept { return io_executor_of(stream.core()); }

    template <class Handler>
    void operator()(Handler&& handler) && {
        const stream_ptr core = stream.shared();
        auto& w = waiter_of<std::decay_t<Handler>, deliver_collection<R>>::make(
            std::decay_t<Handler>(std::forward<Handler>(handler)), io_executor_of(*core),
            deliver_collection<R>{collector<R>(std::move(stream)),
                                  asio::make_work_guard(io_executor_of(*core))});
        begin_or_abandon(w, [&] {
            w.assign_slot([core](asio::cancellation_type type) { cancel(*core, strongest(type)); });
            complete_soon(*core, w);
        });
    }

    stream_handle stream;
};

} // namespace detail

/**
 * @brief The results of many tasks, one after the other.
 *
 * executor::map and as_completed make it. Take the elements one by one with async_next, or all at
 * once with async_collect. A stream that is dropped cancels what has not started, as
 * `cancel(asio::cancellation_type::total)` does; what runs is left to finish unseen.
 *
 * @par Thread safety
 * One thread at a time, and one operation at a time.
 */
template <class R>
class [[nodiscard("read it: dropping it cancels its tasks")]] stream {
public:
    using value_type = element<R>;
    using executor_type = asio::any_io_executor;

    explicit stream(detail::stream_ptr core) noexcept : core_(core), owner_(std::move(core)) {}
    /// The moved-from stream may only be destroyed or assigned to.
    stream(stream &&) noexcept = default;
    stream& operator=(stream&&) noexcept = default;
    ~stream() = default;

    /// The I/O executor on which handlers run that have no associated one.
    executor_type get_executor() const noexcept { return detail::io_executor_of(*core_); }

    /**
     * @brief Gives the next element; `std::nullopt` is the end.
     *
     * Of a map: the range is advanced here, before anything is initiated, until
     * map_options::in_flight tasks are on their way, so in the thread that calls. An element that
     * failed has its failure, and the stream goes on.
     *
     * @par Completion signature `void(std::optional<coproc::element<R>>)`
     * @par Executor
     * The handler runs on its associated executor, else on get_executor(); never from inside this
     * call. The element is decoded there.
     * @par Per-operation cancellation
     * All types: the wait completes early, with std::nullopt, and nothing is lost: the element
     * stays for the next call. Ask ended() to tell it from the end.
     * @par Errors
     * Of an element: those of executor::submit; errc::encode_failed is may_have_run, if the message
     * of its whole chunk was wrong.
     * Throws what the range throws, and what the conversion of an element to the parameter of the
     * function throws, from this call itself, so at the co_await. The stream has ended then, and
     * what has not started is cancelled.
     */
    template <asio::completion_token_for<void(std::optional<element<R>>)> Token = asio::deferred_t>
    auto async_next(Token && token = Token()) {
        detail::fill(*core_);
        return asio::async_initiate<Token, void(std::optional<element<R>>)>(
            detail::initiate_next<R>{core_}, token);
    }

    /**
     * @brief Gives the values of all elements that are left, in the order of the range.
     *
     * The first failure, in time, is the result instead: what has not started is cancelled, and
     * what runs is asked to stop. It takes over the stream: dropping the stream does not stop it.
     * Of functions that return nothing the result is a `result<void>`.
     *
     * @par Completion signature `void(coproc::result<std::vector<R>>)`
     * @par Executor
     * The handler runs on its associated executor, else on get_executor(); never from inside this
     * call. The range is advanced and elements are decoded there, too.
     * @par Per-operation cancellation
     * Cancels the tasks on their way, as cancel() does with the same type; the range is not
     * advanced any more, and the result is a failure: errc::cancelled, unless another came first.
     * @par Errors
     * Those of the elements. What the range throws is errc::encode_failed; its value() throws
     * it again. Throws std::logic_error, from this call itself, if the stream was collected
     * already.
     */
    template <asio::completion_token_for<void(result<detail::collection<R>>)> Token =
                  asio::deferred_t>
    auto async_collect(Token && token = Token()) {
        return asio::async_initiate<Token, void(result<detail::collection<R>>)>(
            detail::initiate_collect<R>{take_over()}, token);
    }

    /**
     * @brief Blocking async_next, for scripts on own_thread executors and for other threads.
     *
     * On a thread that runs the loop of a task it throws coproc::failed, errc::would_deadlock, if
     * no element is there; nothing is lost.
     */
    std::optional<element<R>> next() {
        detail::fill(*core_);
        if (!detail::block_until_element(*core_)) {
            detail::would_deadlock().raise();
        }
        return detail::next_element<R>(*core_);
    }

    /// Blocking async_collect. On a thread that runs the loop of a task it cancels the rest and
    /// returns errc::would_deadlock. Throws std::logic_error if the stream was collected already.
    result<detail::collection<R>> get() {
        detail::collector<R> collected(take_over());
        std::optional<result<detail::collection<R>>> end;
        while (!(end = collected.advance())) {
            if (!detail::block_until_element(*core_)) {
                return result<detail::collection<R>>(
                    BOOST_OUTCOME_V2_NAMESPACE::in_place_type<failure>, detail::would_deadlock());
            }
        }
        return std::move(*end);
    }

    /**
     * @brief Ends the range here, and cancels the tasks on their way, each as job::cancel does.
     *
     * Their elements are still given, as errc::cancelled where they are not there already, and then
     * the end. No handler is called from inside. A range may call it while it is advanced: what it
     * then gives is no element any more.
     */
    void cancel(asio::cancellation_type type = asio::cancellation_type::terminal) noexcept {
        detail::cancel(*core_, detail::strongest(type));
    }

    /// Whether no element is left, and none will come.
    bool ended() const noexcept { return detail::has_ended(*core_); }

private:
    detail::stream_handle take_over() {
        if (owner_.shared() == nullptr) {
            throw std::logic_error("coproc: the stream was collected already");
        }
        return std::move(owner_);
    }

    detail::stream_ptr core_;
    detail::stream_handle owner_; // empty once async_collect has begun
};

} // namespace coproc
