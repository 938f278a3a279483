#pragma once

#include "coproc/detail/luggage.hpp"
#include "coproc/detail/progress_core.hpp"
#include "coproc/progress.hpp"
#include "driver/lent_arrays.hpp"
#include "driver/pending_reader.hpp"
#include "memory/shared_page.hpp"
#include "stream/mailbox.hpp"
#include "wire/messages.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

// Progress on the caller's side: what streams::mailbox decides, done. Executors call in here under
// their mutexes, so ours is taken inside theirs, and nothing that takes theirs is called under it.
namespace coproc::detail {

class executor_impl;

/// One sink of one task that is not done. Guarded by the mutex of its progress.
struct passenger : streams::reporter {
    progress_ptr to;
    // The worker that runs the task; null until it has reported something.
    std::shared_ptr<const memory::shared_page> page = {};
    std::uint64_t sequence = 0;
    std::uint16_t number = 0;
    const executor_impl* executor = nullptr; ///< null until the task is submitted
};

/// The sinks and the arrays of a task. Destroyed when the task is done.
class luggage {
public:
    luggage() = default;
    luggage(const luggage&) = delete;
    luggage& operator=(const luggage&) = delete;
    ~luggage();

    friend void begin_element(luggage&, bool first) noexcept;
    friend luggage_ptr carry(const luggage*);

    /// Gives the sink's number. One that is there already keeps its own.
    std::uint16_t add(progress_ptr);
    std::size_t size() const noexcept { return passengers_.size(); }
    /// The task refers to it.
    void add(const memory::arena_array_ptr&);
    /// Null: it refers to none. Not changed any more when the task is submitted.
    std::shared_ptr<const borrowed_arrays> arrays() const noexcept { return arrays_; }
    /// The task is done: it refers to none any more.
    std::shared_ptr<const borrowed_arrays> take_arrays() noexcept { return std::move(arrays_); }
    /// The task is submitted there.
    void depart(const executor_impl&);

    /// The task has reported something through a sink that it has; no bytes: there was no memory
    /// for them.
    void arrive(const std::shared_ptr<memory::shared_page>& page, const wire::progress_header&,
                std::optional<wire::payload_buffer> bytes);

private:
    std::vector<std::unique_ptr<passenger>> passengers_;
    std::shared_ptr<borrowed_arrays> arrays_;
    // Of a chunk: how many there were before its first element, and before the one that is open.
    std::size_t common_arrays_ = 0;
    std::size_t arrays_before_ = 0;
};

class progress_list;

class progress_core final : public std::enable_shared_from_this<progress_core> {
public:
    progress_core(asio::any_io_executor io, const progress_options& options);
    /// After construction: the loop's end will end the waits.
    void enlist();
    progress_core(const progress_core&) = delete;
    progress_core& operator=(const progress_core&) = delete;
    ~progress_core();

    // ---- sinks and tasks

    void add_sink();
    void remove_sink() noexcept;
    void enter(passenger&);
    void depart(passenger&, const executor_impl&);
    void leave(passenger&) noexcept;
    void arrive(passenger&, const std::shared_ptr<memory::shared_page>& page,
                const wire::progress_header&, std::optional<wire::payload_buffer> bytes);
    const progress_options& options() const noexcept { return options_; }

    // ---- the reader

    reported_value take();
    void wait(waiter&);
    void stop_waiting(const waiter*) noexcept;
    bool block();
    bool ended() const noexcept;
    std::uint64_t dropped() const noexcept;
    void close() noexcept;
    const asio::any_io_executor& io_executor() const noexcept { return reader_.io_executor(); }

    /// Gives up the loop, which is being destroyed, or this is. Whoever waits is to be abandoned.
    waiter* leave_loop() noexcept;

private:
    bool ready() const { return box_.has_value() || box_.ended(); }
    bool is_fed_by_this_thread() const;
    void changed();
    void tell_settled(const passenger&) const noexcept;
    void tell_unwanted(const passenger&) const noexcept;

    const std::shared_ptr<progress_list> list_;
    const progress_options options_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    streams::mailbox box_;
    std::vector<passenger*> running_; // those that have reported
    // Where tasks with a sink were submitted, and how many of them are not done.
    std::vector<std::pair<const executor_impl*, std::size_t>> fed_by_;
    pending_reader reader_;
};

} // namespace coproc::detail
