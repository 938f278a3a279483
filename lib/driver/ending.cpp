#include "driver/executor_impl.hpp"

#include "driver/executor_service.hpp"
#include "driver/own_loop.hpp"

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

// How an executor ends: shutdown, stop, the end of its loop, and in a forked child.
namespace coproc::detail {
namespace {

pool::shutdown_mode strength(shutdown_mode mode) {
    switch (mode) {
    case shutdown_mode::drain:
        return pool::shutdown_mode::drain;
    case shutdown_mode::cancel_queued:
        return pool::shutdown_mode::cancel_queued;
    case shutdown_mode::kill:
        break;
    }
    return pool::shutdown_mode::kill;
}

void store_report(job_core& shutdown, const pool::forced& used) {
    const shutdown_report report{
        .cancelled = used.cancelled, .lost = used.lost, .killed_workers = used.killed_workers};
    shutdown.store_value(std::as_bytes(std::span(&report, 1)));
}

} // namespace

job_ptr executor_impl::begin_shutdown(const shutdown_options& options) {
    if (forked()) {
        return finished_shutdown();
    }
    const std::lock_guard lock(mutex_);
    if (stopped_) {
        return finished_shutdown();
    }
    if (!shutdown_) {
        shutdown_ = job_core::make(shared_from_this(), 0, sizeof(shutdown_report));
    }
    job_ptr shutdown = shutdown_;
    const clock::time_point now = clock::now();
    if (!(*shutdown).done()) {
        shutdown_limit_ = std::min(shutdown_limit_, pool::after(now, options.timeout));
    }
    pool_.shut_down(strength(options.mode), now, actions_);
    perform();
    after_events();
    post_ready();
    return shutdown;
}

// Not kept: it shares this object.
job_ptr executor_impl::finished_shutdown() {
    job_ptr shutdown = job_core::make(shared_from_this(), 0, sizeof(shutdown_report));
    store_report(*shutdown, pool_.used_force());
    (*shutdown).set_done();
    return shutdown;
}

void executor_impl::finish_shutdown(job_core& shutdown) {
    shutdown_limit_ = clock::time_point::max(); // one that came late has no effect
    store_report(shutdown, pool_.used_force());
    retain(shutdown);
    finish(shutdown);
}

void executor_impl::stop() noexcept {
    if (forked()) {
        leave_alone();
        return;
    }
    end_everything(false);
}

void executor_impl::end() noexcept {
    if (options_.observer && !forked()) {
        silence_observer();
    }
    stop();
    if (loop_ != nullptr && !forked()) {
        loop_->finish();
    }
}

namespace {

/// Ends an executor when its shutdown is over.
class last_waiter final : public waiter {
public:
    explicit last_waiter(std::shared_ptr<executor_impl> executor) noexcept
        : executor_(std::move(executor)) {}

    void complete(job_ptr) override {
        const std::unique_ptr<last_waiter> ends(this);
        executor_->end();
    }
    void abandon() noexcept override { delete this; }
    bool is_internal() const noexcept override { return true; }

private:
    std::shared_ptr<executor_impl> executor_;
};

} // namespace

void executor_impl::end_when_done() noexcept {
    if (forked()) {
        leave_alone();
        return;
    }
    const job_ptr shutdown = begin_shutdown({});
    add_waiter(*shutdown, *std::make_unique<last_waiter>(shared_from_this()).release());
}

std::pair<reuse::state, std::size_t> executor_impl::look_for_reuse() const {
    const std::lock_guard lock(mutex_);
    const reuse::state is = stopped_ || pool_.shutting_down() != pool::shutdown_mode::none
                                ? reuse::state::ended
                            : pool_.broken() ? reuse::state::broken
                                             : reuse::state::serving;
    return {is, pool_.max_workers()};
}

std::size_t executor_impl::max_workers() const { return look_for_reuse().second; }

void executor_impl::loop_ends() noexcept {
    if (forked()) {
        leave_alone();
    } else {
        silence_observer();
        end_everything(true);
    }
}

// In a forked child: what is ours belongs to the parent process, and destroying it would take its
// registrations from the parent's loop.
void executor_impl::leave_alone() noexcept {
    static_cast<void>(new (std::nothrow) std::shared_ptr<executor_impl>(shared_from_this()));
} // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): that is the purpose

void executor_impl::leave_loop() noexcept {
    service_ = nullptr;
    timer_.reset();
    io_ = {}; // a strand's would need the context when it is destroyed
}

void executor_impl::end_everything(bool loop_is_gone) noexcept {
    std::optional<ready_queue> left; // its destructor abandons the handlers
    unused_arrays unused;
    {
        const std::lock_guard lock(mutex_);
        if (!stopped_) {
            pool_.shut_down(pool::shutdown_mode::stop, clock::now(), actions_);
            perform();
            stopped_ = true;
            for (std::uint32_t w = 0; w < links_.size(); ++w) {
                if (const link_ptr& l = links_[w]) {
                    if (l->child) {
                        l->child->kill_group();
                        if (l->death.is_open()) {
                            // The loop does not watch a descriptor twice.
                            static_cast<void>(l->death.release());
                        }
                        service_->adopt(std::move(*l->child), std::move(l->lent), io_);
                    }
                    l->gone = true;
                    buried_.push_back(w);
                }
            }
            forget_buried();
            end_zygote();
            dirty_.clear();
            to_start_.clear();
            if (shutdown_ && !(*shutdown_).done()) {
                finish_shutdown(*shutdown_);
            }
            timer_.reset();
            timer_set_ = false;
        }
        shutdown_ = job_ptr(); // it shares this object
        unused.swap(unused_);
        if (loop_is_gone) {
            left.emplace(std::move(ready_));
            leave_loop();
        } else {
            post_ready();
        }
    }
}

} // namespace coproc::detail
