#include "driver/pending_reader.hpp"

#include "driver/deliver.hpp"
#include "driver/executor_impl.hpp"
#include "driver/posted_waiter.hpp"

#include <asio/post.hpp>
#include <asio/system_executor.hpp>

#include <cassert>
#include <utility>

namespace coproc::detail {

// The executor's own is not kept: a strand's would need the context when it is destroyed.
pending_reader::pending_reader(std::shared_ptr<executor_impl> home) : home_(std::move(home)) {
    if (home_ == nullptr) {
        io_ = asio::system_executor();
    }
}

pending_reader::~pending_reader() {
    if (pending_ != nullptr) {
        pending_->abandon();
    }
}

const asio::any_io_executor& pending_reader::io_executor() const noexcept {
    return home_ == nullptr ? io_ : home_->io_executor();
}

bool pending_reader::is_at_home(const job_core& job) const noexcept {
    return job.owner() == home_ || io_executor_of(job) == io_executor();
}

void pending_reader::wait(waiter& w) noexcept {
    assert(pending_ == nullptr && "one operation at a time");
    pending_ = &w;
}

void pending_reader::keep_at_work(bool needed) {
    if (!needed) {
        work_.reset();
    } else if (!work_) {
        work_.emplace(io_executor());
    }
}

waiter* pending_reader::take() noexcept {
    work_.reset();
    return std::exchange(pending_, nullptr);
}

void pending_reader::complete() { complete_soon(*take()); }

void pending_reader::complete_soon(waiter& w) {
    if (home_ != nullptr) {
        home_->complete_soon(w);
    } else {
        asio::post(io_, posted_waiter(w));
    }
}

bool pending_reader::stop_waiting(const waiter* given_up) {
    if (given_up == nullptr || pending_ != given_up) {
        return false;
    }
    complete();
    return true;
}

waiter* pending_reader::told(bool at_home, bool abandoned, bool answered) {
    const bool nobody_calls = abandoned && at_home;
    if (pending_ == nullptr || (!answered && !nobody_calls)) {
        return nullptr;
    }
    if (at_home) {
        return take();
    }
    complete();
    return nullptr;
}

void pending_reader::end(waiter* w, bool abandoned) {
    if (w == nullptr) {
        return;
    }
    if (abandoned) {
        w->abandon();
    } else {
        deliver(*w, job_ptr());
    }
}

waiter* pending_reader::leave_loop() noexcept {
    io_ = {}; // a strand's would need the context when it is destroyed
    return take();
}

} // namespace coproc::detail
