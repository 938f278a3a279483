#include "driver/stream_core.hpp"

#include "driver/check_options.hpp"
#include "driver/executor_impl.hpp"
#include "driver/own_loop.hpp"
#include "exception/describe.hpp"

#include <algorithm>
#include <utility>

namespace coproc::detail {

stream_core::stream_core(std::shared_ptr<executor_impl> home, std::size_t limit, bool ordered,
                         std::unique_ptr<task_source> source)
    : window_(limit, ordered), source_(std::move(source)), reader_(std::move(home)) {}

// ---- what the reader does

// The range is user's code, which may cancel this very stream: meanwhile the source is ours alone.
void stream_core::fill() {
    while (std::unique_ptr<task_source> source = borrow_source()) {
        pulled next;
        try {
            next = source->pull();
            if (!next.job) {
                close_range();
            } else if (!add(next, source)) {
                withdraw(*next.job, cut_how_);
            }
        } catch (...) {
            if (next.job) {
                withdraw(*next.job, withdrawal::total);
            }
            close(withdrawal::total);
            throw;
        }
    }
}

/// The source, if another task may be submitted.
std::unique_ptr<task_source> stream_core::borrow_source() {
    const std::lock_guard lock(mutex_);
    return window_.wants_task() ? std::move(source_) : nullptr;
}

/// Puts the source back where it was borrowed. False: the stream has been cut short meanwhile.
bool stream_core::add(const pulled& next, std::unique_ptr<task_source>& borrowed) {
    const std::lock_guard lock(mutex_);
    if (window_.closed()) {
        return false;
    }
    add_locked(next);
    source_ = std::move(borrowed);
    return true;
}

void stream_core::add(job_ptr next) {
    const std::lock_guard lock(mutex_);
    add_locked({.job = std::move(next), .elements = 1});
}

void stream_core::add_locked(const pulled& next) {
    job_core& job = *next.job;
    const std::uint32_t number = window_.add(next.elements);
    if (number == entries_.size()) {
        entries_.emplace_back();
    }
    entry& e = entries_[number];
    e.job = next.job;
    e.elements = next.elements;
    e.at_home = reader_.is_at_home(job);
    foreign_ = foreign_ || !e.at_home;
    if (job.done()) {
        window_.available(number, next.elements);
        return;
    }
    e.done.core = this;
    e.done.task = number;
    e.done.keep = shared_from_this();
    detail::add_waiter(job, e.done);
}

void stream_core::close_range() {
    const std::lock_guard lock(mutex_);
    window_.close();
}

taken stream_core::take() {
    const std::lock_guard lock(mutex_);
    const std::optional<streams::position> next = window_.take();
    if (!next) {
        return {};
    }
    entry& e = entries_[next->task];
    taken given{.index = next->index, .job = e.job, .offset = next->offset};
    if (next->last) {
        e.job = job_ptr();
    }
    return given;
}

void stream_core::take_in_any_order() {
    const std::lock_guard lock(mutex_);
    window_.in_any_order();
}

bool stream_core::ended() const noexcept {
    const std::lock_guard lock(mutex_);
    return window_.ended();
}

bool stream_core::cut() const noexcept {
    const std::lock_guard lock(mutex_);
    return cut_;
}

void stream_core::wait(waiter& w) {
    const std::lock_guard lock(mutex_);
    if (window_.has_element() || window_.ended()) {
        reader_.complete_soon(w);
        return;
    }
    reader_.wait(w);
    reader_.keep_at_work(foreign_);
}

void stream_core::complete_soon(waiter& w) {
    const std::lock_guard lock(mutex_);
    reader_.complete_soon(w);
}

void stream_core::stop_waiting(const waiter* given_up) noexcept {
    const std::lock_guard lock(mutex_);
    reader_.stop_waiting(given_up);
}

bool stream_core::block() {
    std::unique_lock lock(mutex_);
    const auto over = [this] { return window_.has_element() || window_.ended(); };
    if (over()) {
        return true;
    }
    for (const entry& e : entries_) {
        // Also when it is done: that is told by its loop, which has not done so.
        if (e.job && (runs_on_this_thread(io_executor_of(*e.job)) || (*e.job).owner()->forked())) {
            return false;
        }
    }
    changed_.wait(lock, over);
    return true;
}

namespace {

/// The youngest first: else a worker might begin one because the one before it has gone.
void withdraw_all(std::vector<job_ptr> jobs, withdrawal how) noexcept {
    std::sort(jobs.begin(), jobs.end(),
              [](const job_ptr& a, const job_ptr& b) { return (*a).id() > (*b).id(); });
    for (const job_ptr& job : jobs) {
        withdraw(*job, how);
    }
}

} // namespace

void stream_core::cancel(withdrawal how) noexcept {
    std::vector<job_ptr> jobs;
    std::unique_ptr<task_source> over; // the range goes without the lock
    {
        const std::lock_guard lock(mutex_);
        if (!window_.closed()) {
            cut_ = true;
            cut_how_ = how;
        }
        window_.close();
        over = std::move(source_);
        jobs = unfinished();
        if (window_.ended() && reader_.waits()) {
            reader_.complete();
        }
    }
    withdraw_all(std::move(jobs), how);
}

void stream_core::close(withdrawal how) noexcept {
    std::vector<job_ptr> jobs;
    const std::unique_ptr<task_source> over = [&] {
        const std::lock_guard lock(mutex_);
        jobs = unfinished();
        window_.forget();
        for (entry& e : entries_) {
            e.job = job_ptr();
        }
        if (reader_.waits()) {
            reader_.complete();
        }
        return std::move(source_);
    }();
    withdraw_all(std::move(jobs), how);
}

// ---- what tasks do

void stream_core::watch::complete(job_ptr) {
    const std::shared_ptr<stream_core> kept = std::move(keep);
    kept->on_done(task, false);
}

void stream_core::watch::abandon() noexcept {
    const std::shared_ptr<stream_core> kept = std::move(keep);
    kept->on_done(task, true);
}

// In a completion handler of the task's loop, or when that loop ends.
void stream_core::on_done(std::uint32_t task, bool loop_is_gone) {
    waiter* waiting = nullptr;
    {
        const std::lock_guard lock(mutex_);
        const entry& e = entries_[task];
        if (!e.job) {
            return; // the stream was closed
        }
        window_.available(task, e.elements);
        changed_.notify_all();
        waiting = reader_.told(e.at_home, loop_is_gone, window_.has_element());
    }
    pending_reader::end(waiting, loop_is_gone);
}

std::vector<job_ptr> stream_core::unfinished() const {
    std::vector<job_ptr> jobs;
    for (const entry& e : entries_) {
        if (e.job && !(*e.job).done()) {
            jobs.push_back(e.job);
        }
    }
    return jobs;
}

// ---- what the public headers call

stream_ptr make_stream(std::unique_ptr<task_source> source, const map_options& options) {
    std::shared_ptr<executor_impl> executor = source->executor();
    const std::size_t max_queued = executor->options().max_queued;
    check_in_flight(options, max_queued);
    const std::size_t limit = options.in_flight != 0
                                  ? options.in_flight
                                  : std::min(2 * executor->max_workers(), max_queued);
    return std::make_shared<stream_core>(std::move(executor), limit, options.ordered,
                                         std::move(source));
}

stream_ptr make_stream(std::vector<job_ptr> jobs) {
    auto home = jobs.empty() ? nullptr : (*jobs.front()).owner();
    auto made = std::make_shared<stream_core>(
        std::move(home), std::max<std::size_t>(jobs.size(), 1), false, nullptr);
    for (job_ptr& job : jobs) {
        made->add(std::move(job));
    }
    made->close_range();
    return made;
}

const asio::any_io_executor& io_executor_of(const stream_core& stream) noexcept {
    return stream.io_executor();
}

void fill(stream_core& stream) { stream.fill(); }
taken take(stream_core& stream) { return stream.take(); }
void take_in_any_order(stream_core& stream) { stream.take_in_any_order(); }
bool has_ended(const stream_core& stream) noexcept { return stream.ended(); }
bool was_cut(const stream_core& stream) noexcept { return stream.cut(); }
void wait_for_element(stream_core& stream, waiter& w) { stream.wait(w); }
void complete_soon(stream_core& stream, waiter& w) { stream.complete_soon(w); }
void stop_waiting(stream_core& stream, const waiter* w) noexcept { stream.stop_waiting(w); }
bool block_until_element(stream_core& stream) { return stream.block(); }
void cancel(stream_core& stream, withdrawal how) noexcept { stream.cancel(how); }
void close(stream_core& stream, withdrawal how) noexcept { stream.close(how); }

failure range_threw(std::exception_ptr thrown) {
    const std::string words = exceptions::in_words(exceptions::describe(thrown));
    return make_failure(
        {.code = errc::encode_failed,
         .how_certain = certainty::not_started,
         .cause = "the range, or the conversion of one of its elements, threw " + words,
         .exception = std::move(thrown)});
}

failure no_memory_for_results() noexcept {
    return make_failure({.code = errc::out_of_memory, .how_certain = certainty::may_have_run});
}

failure cut_short() {
    return make_failure({.code = errc::cancelled,
                         .how_certain = certainty::not_started,
                         .cause = "the stream was cut before the end of its range"});
}

failure would_deadlock() {
    return make_failure({.code = errc::would_deadlock, .how_certain = certainty::may_have_run});
}

} // namespace coproc::detail
