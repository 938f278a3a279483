#pragma once

#include <coproc/codec.hpp>
#include <coproc/detail/call.hpp>
#include <coproc/detail/parameter.hpp>
#include <coproc/detail/progress_core.hpp>
#include <coproc/detail/sink_side.hpp>
#include <coproc/detail/waiter_of.hpp>
#include <coproc/element.hpp>
#include <coproc/result.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/deferred.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

// Progress and partial results of tasks that run.
namespace coproc {

/// What becomes of a value that finds its progress full.
enum class full_policy {
    drop_oldest, ///< the oldest value that nobody has read gives way; the task goes on
    wait,        ///< the task waits until the reader has taken one
};

/// How a progress is read. Trivially copyable, as task_options.
struct progress_options {
    /// Most values that are kept until they are read, from all tasks together. 1: only the newest
    /// one counts. Between 1 and 2^24.
    std::size_t capacity = 16;
    /// What becomes of one more.
    full_policy when_full = full_policy::drop_oldest;
};
static_assert(std::is_trivially_copyable_v<progress_options>);

template <class T>
class progress;

/**
 * @brief What a task reports through: an argument of executor::submit, and of executor::map with
 * bind_front.
 *
 *     int render(const scene& s, const coproc::progress_sink<double>& done) {
 *         for (...) { ...; done(0.5); }
 *     }
 *     executor.submit(render, s, bar.sink());
 *
 * progress::sink makes it. Copies are the same sink. It may also be a member of an aggregate. An
 * rvalue that is an argument, or inside of one, is empty afterwards, and may only be destroyed or
 * assigned to. It does not travel on from a task, neither in its result nor to tasks of its own.
 *
 * @par Thread safety
 * Reporting: any thread of the task, also on one object. Otherwise distinct objects: safe.
 */
template <class T>
class progress_sink {
public:
    using value_type = T;

    /**
     * @brief Reports a value from within a task.
     *
     * Returns at once, and the value is on its way; with full_policy::wait, when it has its place
     * on the caller's side: earlier if nobody reads any more, if the task is asked to stop, or if
     * the caller's process is gone. The reader gets the values of a task in this order. A value of
     * more than 64 KiB takes the way of large results: it may have to wait until the caller's loop
     * reads from the worker.
     *
     * Does nothing when nobody reads any more, and after the end of the task.
     *
     * @par Errors
     * Throws what the codec of `T` throws; encode_error if the value exceeds
     * executor_options::max_message_bytes; std::logic_error outside of a task.
     */
    void operator()(const T& value) const {
        if (side_ == nullptr) {
            throw std::logic_error("coproc: a progress_sink that was moved from");
        }
        side_->report(
            [](encoder& out, const void* given) { out.write(*static_cast<const T*>(given)); },
            std::addressof(value));
    }

private:
    friend class progress<T>;
    friend struct codec<progress_sink>;

    explicit progress_sink(detail::sink_ptr side) noexcept : side_(std::move(side)) {}

    detail::sink_ptr side_;
};

/// A sink travels as an argument only.
template <class T>
struct codec<progress_sink<T>> : detail::leaf_codec {
    using parts = detail::types<T>;
    using argument_only = void;

    static void encode(encoder& out, const progress_sink<T>& sink) {
        if (sink.side_ == nullptr) {
            throw encode_error("a progress_sink that was moved from");
        }
        sink.side_->pack(out);
    }
    static progress_sink<T> decode(decoder& in) {
        return progress_sink<T>(detail::unpack_sink(in));
    }
};

namespace detail {

/// Decodes a value that was reported. Throws nothing.
template <class T>
result<T> decode_report(std::span<const std::byte> bytes) {
    try {
        return result<T>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<T>, decode_result<T>(bytes));
    } catch (const std::bad_alloc&) {
        return result<T>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<failure>,
                         no_memory_for_report());
    } catch (const std::exception& error) {
        return result<T>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<failure>,
                         undecodable_report(error.what()));
    } catch (...) {
        return result<T>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<failure>,
                         undecodable_report("its codec threw something that is no std::exception"));
    }
}

template <class T>
std::optional<coproc::element<T>> next_report(progress_core& core) {
    const reported_value next = take(core);
    if (!next.there) {
        return std::nullopt;
    }
    return coproc::element<T>(decode_report<T>(next.bytes()), static_cast<std::size_t>(next.index));
}

template <class T>
struct deliver_report_value {
    template <class Handler>
    void operator()(Handler&& handler, const job_ptr&) {
        std::optional<coproc::element<T>> next = next_report<T>(*core);
        core.reset();
        std::forward<Handler>(handler)(std::move(next));
    }

    progress_ptr core;
};

/// Starts progress::async_next.
template <class T>
struct initiate_next_report {
    using executor_type = asio::any_io_executor;
    executor_type get_executor() const noexcept { return io_executor_of(*core); }

    template <class Handler>
    void operator()(Handler&& handler) const {
        auto& w = waiter_of<std::decay_t<Handler>, deliver_report_value<T>>::make(
            std::decay_t<Handler>(std::forward<Handler>(handler)), io_executor_of(*core),
            deliver_report_value<T>{core});
        begin_or_abandon(w, [&] {
            w.assign_slot([shared = core, self = &w](asio::cancellation_type) {
                stop_waiting(*shared, self);
            });
            wait_for_value(*core, w);
        });
    }

    progress_ptr core;
};

} // namespace detail

/**
 * @brief What tasks report while they run, value by value.
 *
 *     coproc::progress<double> bar(executor);
 *     auto picture = executor.submit(render, scene, bar.sink());
 *     while (auto done = co_await bar.async_next()) {
 *         draw(done->value());
 *     }
 *     show(co_await std::move(picture));
 *
 * It ends when no sink is left in this process, no unfinished task has one, and everything is read.
 * So the loop above ends with the task, however it ends, and has then got all that the task had
 * sent before and that was not dropped. Keep a sink to keep it open. Without any sink it has ended,
 * too: make one before you read. A sink that is made later opens it again.
 *
 * Any number of tasks may report to one progress, also those of other executors on other loops.
 * Its memory is bounded by progress_options::capacity, whatever the tasks do. Destroying it ends it
 * as close() does.
 *
 * @par Thread safety
 * sink, close, ended and dropped: any thread. Everything else: one thread at a time, and one
 * operation at a time.
 */
template <class T>
class progress {
    static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a progress is made of values");

public:
    using value_type = element<T>;
    using executor_type = asio::any_io_executor;

    /// Lives on the given I/O executor, where handlers run that have no associated one. Throws
    /// std::invalid_argument, naming the field, for options that are wrong in themselves.
    explicit progress(asio::any_io_executor io, progress_options options = {})
        : core_(detail::make_progress(std::move(io), options)) {}

    /// Lives where a coproc::executor lives, or on an execution context.
    template <class Home>
    requires requires(Home& home) {
        { home.get_executor() } -> std::convertible_to<asio::any_io_executor>;
    }
    explicit progress(Home& home, progress_options options = {})
        : progress(asio::any_io_executor(home.get_executor()), options) {}

    /// The moved-from progress may only be destroyed or assigned to.
    progress(progress&&) noexcept = default;
    progress& operator=(progress&& other) noexcept {
        if (this != &other) {
            drop();
            core_ = std::move(other.core_);
        }
        return *this;
    }
    ~progress() { drop(); }

    /// The I/O executor on which handlers run that have no associated one.
    executor_type get_executor() const noexcept { return detail::io_executor_of(*core_); }

    /// What a task reports through. Any thread.
    progress_sink<T> sink() { return progress_sink<T>(detail::make_sink(*core_)); }

    /**
     * @brief Gives the next value; `std::nullopt` is the end.
     *
     * The element's `index` says how many values were reported before it, those included that were
     * dropped: a gap tells of them. A task that is run again (task_options::retries) reports again.
     * A value that cannot be decoded is an element with a failure.
     *
     * A reader that waits is work for get_executor() while a task has a sink, and not otherwise: a
     * sink that is merely kept does not hold up run(). A handler with an executor of its own is
     * work for that as long as it waits, and so is a coroutine for its own.
     *
     * @par Completion signature `void(std::optional<coproc::element<T>>)`
     * @par Executor
     * The handler runs on its associated executor, else on get_executor(); never from inside this
     * call. The value is decoded there.
     * @par Per-operation cancellation
     * All types: the wait completes early, with std::nullopt, and nothing is lost: the value stays
     * for the next call. Ask ended() to tell it from the end.
     * @par Errors
     * Of the element: errc::decode_failed and errc::out_of_memory.
     */
    template <asio::completion_token_for<void(std::optional<element<T>>)> Token = asio::deferred_t>
    auto async_next(Token&& token = Token()) {
        return asio::async_initiate<Token, void(std::optional<element<T>>)>(
            detail::initiate_next_report<T>{core_}, token);
    }

    /**
     * @brief Blocking async_next, for scripts on own_thread executors and for other threads.
     *
     * On a thread that runs the loop of this progress, or that of the executor of a task with a
     * sink, it throws coproc::failed, errc::would_deadlock, if no value is there; nothing is lost.
     */
    std::optional<element<T>> next() {
        if (!detail::block_until_value(*core_)) {
            detail::would_deadlock().raise();
        }
        return detail::next_report<T>(*core_);
    }

    /// Nobody reads any more: the end, also for an async_next that waits. Tasks that wait go on,
    /// and what they report is dropped. Any thread; no handler is called from inside.
    void close() noexcept { detail::close(*core_); }

    /// Whether no value is left, and none will come unless another sink is made. Any thread.
    bool ended() const noexcept { return detail::has_ended(*core_); }

    /// How many values have come and were dropped, because nobody had read them in time. Those that
    /// are unread at close() count; of what tasks report after it most does not come. Any thread.
    std::uint64_t dropped() const noexcept { return detail::dropped_by(*core_); }

private:
    void drop() noexcept {
        if (core_) {
            detail::close(*core_);
            core_.reset();
        }
    }

    detail::progress_ptr core_;
};

} // namespace coproc
