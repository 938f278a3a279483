#include "driver/executor_impl.hpp"
#include "driver/executor_service.hpp"
#include "driver/fork_parts.hpp"

#include <asio/post.hpp>

#include <exception>
#include <new>
#include <utility>

// Workers of start_method::forkserver: the process that forks them, and what it is told. What is to
// be done is decided by pool::zygote_plan. What it says: zygote_reports.cpp; its end:
// zygote_end.cpp.
namespace coproc::detail {

// ---- what the pool wants

// Before a task or a request for workers comes.
void executor_impl::zygote_is_needed(clock::time_point now) {
    if (zygote_ && !options_.watch_idle && !needs_attention()) {
        zygote_->plan.listen_again(now);
    }
}

// As spawn_next does it for others, but that the worker comes later.
void executor_impl::fork_next(std::uint32_t worker, std::uint32_t slot) {
    std::variant<fork_parts, std::string> made;
    try {
        const std::optional<std::uint64_t> oom_kills = count_oom_kills();
        made = make_fork_parts(options_, slot, depth_);
        if (auto* const parts = std::get_if<fork_parts>(&made)) {
            parts->worker.oom_kills_before = oom_kills;
        }
    } catch (const std::exception& error) {
        made = std::string(error.what());
    }
    {
        const std::lock_guard lock(mutex_);
        if (!stopped_) {
            order_fork(worker, std::move(made));
            if (!to_start_.empty()) {
                spawn_later();
            }
            perform();
            after_events();
        }
    }
    run_ready();
}

void executor_impl::order_fork(std::uint32_t worker, std::variant<fork_parts, std::string> made) {
    if (pool_.worker_at(worker).killed) {
        never_started(worker);
        return;
    }
    if (auto* const why_not = std::get_if<std::string>(&made)) {
        start_failed(worker, std::move(*why_not));
        return;
    }
    if (zygote_->link && zygote_->link->child->ended()) {
        bury_zygote(zygote_->link); // while nobody needed it
    }
    zygote_->orders.insert_or_assign(worker, std::get<fork_parts>(std::move(made)));
    zygote_->plan.want(worker, clock::now(), zygote_->actions);
    perform_zygote();
}

// The pool has killed a worker that is being started. False: it is not one that waits for the
// zygote.
bool executor_impl::forget_order(std::uint32_t worker) {
    if (!zygote_ || !zygote_->plan.forget(worker)) {
        return false;
    }
    zygote_->orders.erase(worker);
    return true;
}

// ---- what its plan wants

void executor_impl::perform_zygote() {
    while (!zygote_->actions.empty()) { // performing may append, and come here
        const pool::zygote_action next = zygote_->actions.front();
        zygote_->actions.erase(zygote_->actions.begin());
        perform(next);
    }
}

void executor_impl::perform(const pool::zygote_action& a) {
    switch (a.kind) {
    case pool::zygote_action_kind::start:
        asio::post(io_, [self = shared_from_this()] { self->start_zygote(); });
        return;
    case pool::zygote_action_kind::preload:
        preload();
        return;
    case pool::zygote_action_kind::request:
        request_fork(a.worker);
        return;
    case pool::zygote_action_kind::kill:
        zygote_->link->kill(); // its pidfd tells the rest
        return;
    case pool::zygote_action_kind::give_back:
        zygote_->orders.erase(a.worker);
        pool_.start_withdrawn(a.worker);
        return;
    case pool::zygote_action_kind::fail:
        zygote_->orders.erase(a.worker);
        start_failed(a.worker, zygote_->loss_cause, zygote_->loss_code);
        return;
    }
}

// One turn of the loop of its own, without the mutex.
void executor_impl::start_zygote() {
    std::variant<launched_worker, std::string> made;
    {
        const std::lock_guard lock(mutex_);
        if (stopped_ || zygote_->over) {
            return;
        }
    }
    try {
        made = launch_zygote(options_, depth_);
    } catch (const std::exception& error) {
        made = std::string(error.what());
    }
    {
        const std::lock_guard lock(mutex_);
        install_zygote(std::move(made));
        perform();
        after_events();
    }
    run_ready();
}

void executor_impl::install_zygote(std::variant<launched_worker, std::string> made) {
    auto* const launched = std::get_if<launched_worker>(&made);
    const auto give_up = [&] {
        launched->child->kill_group();
        service_->adopt(std::move(*launched->child), {}, io_);
    };
    if (stopped_ || zygote_->over) {
        if (launched != nullptr) {
            give_up();
        }
        return;
    }
    std::string why_not;
    if (launched == nullptr) {
        why_not = std::get<std::string>(std::move(made));
    } else {
        try {
            zygote_->link =
                std::make_shared<worker_link>(io_, *launched, 0, options_.max_message_bytes);
            zygote_->greeted = false;
            zygote_->plan.started(clock::now());
            return;
        } catch (const std::exception& error) {
            give_up();
            why_not = std::string("the loop cannot watch the zygote: ") + error.what();
        }
    }
    lose_zygote(errc::spawn_failed, std::move(why_not));
}

void executor_impl::lose_zygote(errc code, std::string cause) {
    zygote_->loss_code = code;
    zygote_->loss_cause = std::move(cause);
    zygote_->plan.lost(zygote_->actions);
    perform_zygote();
}

void executor_impl::preload() {
    worker_link& l = *zygote_->link;
    try {
        for (const call& next : options_.preload) {
            if (const char* const why = l.initialize(next, l.initializers)) {
                zygote_misbehaved(l, std::string("it cannot be called: ") + why);
                return;
            }
        }
    } catch (const std::bad_alloc&) {
        zygote_misbehaved(l, "there was no memory for what it should be sent");
        return;
    }
    write_to_zygote();
}

void executor_impl::request_fork(std::uint32_t worker) {
    worker_link& l = *zygote_->link;
    const fork_parts& parts = zygote_->orders.at(worker);
    const auto send = [&](int descriptor, std::shared_ptr<const void> owner) {
        l.writer.append_with_descriptor(wire::fork_descriptor{}, descriptor, std::move(owner));
    };
    try {
        send(parts.descriptors.front()->get(), parts.descriptors.front());
        send(parts.worker.page->descriptor(), parts.worker.page);
        for (std::size_t i = 1; i < parts.descriptors.size(); ++i) {
            send(parts.descriptors[i]->get(), parts.descriptors[i]);
        }
        const auto settings =
            std::make_shared<const payload>(process::encode_settings(parts.settings));
        l.writer.append(
            wire::fork_order{.nonce = parts.worker.nonce, .number = worker, .slot = parts.slot},
            settings->bytes(), settings);
    } catch (const std::bad_alloc&) {
        zygote_misbehaved(l, "there was no memory for what it should be sent");
        return;
    }
    write_to_zygote();
}

void executor_impl::write_to_zygote() {
    const link_ptr& l = zygote_->link;
    if (l == nullptr || l->awaits_room) {
        return;
    }
    const worker_link::written result = l->write();
    if (result != worker_link::written::all) {
        wait_for_room(l, result, [](executor_impl& self) { self.write_to_zygote(); });
    }
}

} // namespace coproc::detail
