#include "driver/executor_impl.hpp"
#include "driver/executor_service.hpp"
#include "driver/launch.hpp"

#include <asio/post.hpp>

#include <exception>

// Workers are started one per turn of the loop, without the mutex: the kernel takes its time to
// execute a file.
namespace coproc::detail {

void executor_impl::spawn_later() {
    if (!spawn_posted_) {
        spawn_posted_ = true;
        asio::post(io_, [self = shared_from_this()] { self->spawn_next(); });
    }
}

void executor_impl::spawn_next() {
    std::uint32_t worker = 0;
    std::uint32_t slot = 0;
    {
        const std::lock_guard lock(mutex_);
        spawn_posted_ = false;
        if (to_start_.empty()) {
            return;
        }
        worker = to_start_.front();
        to_start_.pop_front();
        slot = pool_.worker_at(worker).slot;
    }
    if (zygote_) {
        fork_next(worker, slot);
        return;
    }
    std::variant<launched_worker, std::string> made;
    try {
        const std::optional<std::uint64_t> oom_kills = count_oom_kills();
        made = launch(options_, slot, depth_);
        if (auto* const launched = std::get_if<launched_worker>(&made)) {
            launched->oom_kills_before = oom_kills;
        }
    } catch (const std::exception& error) {
        made = std::string(error.what());
    }
    {
        const std::lock_guard lock(mutex_);
        if (auto* const launched = std::get_if<launched_worker>(&made)) {
            install(worker, std::move(*launched));
        } else {
            start_failed(worker, std::get<std::string>(std::move(made)));
        }
        if (!to_start_.empty()) {
            spawn_later();
        }
        perform();
        after_events();
    }
    run_ready();
}

// It takes 100 us to find the counter, and 10 to read it. Threads need none.
std::optional<std::uint64_t> executor_impl::count_oom_kills() {
    if (options_.start == start_method::in_process) {
        return std::nullopt;
    }
    std::call_once(oom_counter_found_,
                   [this] { oom_counter_ = process::oom_kill_counter::find(); });
    return oom_counter_.read();
}

void executor_impl::install(std::uint32_t worker, launched_worker made) {
    if (stopped_) {
        if (made.child) {
            made.child->kill_group();
            service_->adopt(std::move(*made.child), {}, io_);
        }
        return;
    }
    try {
        if (links_.size() <= worker) {
            links_.resize(worker + 1);
        }
        links_[worker] = std::make_shared<worker_link>(io_, made, pool_.worker_at(worker).slot,
                                                       options_.max_message_bytes);
        if (links_[worker]->child && memory_limits_.any()) {
            links_[worker]->memory.emplace(memory_limits_);
        }
    } catch (const std::exception& error) {
        if (made.child) {
            made.child->kill_group();
            service_->adopt(std::move(*made.child), {}, io_);
        }
        start_failed(worker, std::string("the loop cannot watch it: ") + error.what());
        return;
    }
    pool_.started(worker, clock::now());
    if (pool_.worker_at(worker).killed) {
        links_[worker]->kill();
        if (!links_[worker]->child) {
            bury(*links_[worker], worker);
        }
    }
}

void executor_impl::start_failed(std::uint32_t worker, std::string cause, errc code) {
    if (stopped_) {
        return;
    }
    start_cause_ = std::move(cause);
    pool_.start_failed(worker, code, clock::now(), actions_);
}

// It was killed before anything was done for it.
void executor_impl::never_started(std::uint32_t worker) {
    pool_.exited(
        worker, errc::spawn_failed, [](std::uint64_t) { return pool::slot_state::offered; },
        clock::now(), actions_);
}

} // namespace coproc::detail
