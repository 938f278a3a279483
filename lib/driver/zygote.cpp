#include "driver/executor_impl.hpp"
#include "driver/executor_service.hpp"
#include "driver/fork_parts.hpp"

#include <asio/error.hpp>
#include <asio/post.hpp>

#include <cerrno>
#include <exception>
#include <new>
#include <utility>

#include <sys/socket.h>

// Workers of start_method::forkserver: the process that forks them, and its socket. What is to be
// done is decided by pool::zygote_plan.
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
    pool_.must_start_by(worker, pool::never); // the zygote has limits of its own
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

// ---- what it says

// Nothing is read before its bytes are looked at: if this executor is stopped, they are still in
// the socket, and tell of the workers that were forked meanwhile.
void executor_impl::listen_to_zygote() {
    const link_ptr l = zygote_->link;
    if (l == nullptr || !(zygote_->plan.awaits_news() || zygote_->over)) {
        return;
    }
    if (l->output) {
        listen_to_output(l);
    }
    if (!l->reading && !l->ended) {
        l->reading = true;
        l->socket.async_wait(asio::local::stream_protocol::socket::wait_read,
                             [self = shared_from_this(), l](const asio::error_code& error) {
                                 self->on_zygote(l, error, &worker_link::reading,
                                                 &executor_impl::take_from_zygote);
                             });
    }
    if (!l->watching) {
        l->watching = true;
        l->death.async_wait(asio::posix::stream_descriptor::wait_read,
                            [self = shared_from_this(), l](const asio::error_code& error) {
                                self->on_zygote(l, error, &worker_link::watching,
                                                &executor_impl::bury_zygote);
                            });
    }
}

void executor_impl::on_zygote(const link_ptr& l, const asio::error_code& error,
                              bool worker_link::*waits,
                              void (executor_impl::*what)(const link_ptr&)) {
    {
        const std::lock_guard lock(mutex_);
        (*l).*waits = false;
        if (l->gone) {
            return;
        }
        if (!error) {
            (this->*what)(l);
        }
        perform();
        after_events();
    }
    run_ready();
}

void executor_impl::stop_listening_to_zygote() {
    if (zygote_->link == nullptr) {
        return;
    }
    if (zygote_->link->reading) {
        zygote_->link->socket.cancel();
    }
    if (zygote_->link->watching) {
        zygote_->link->death.cancel();
    }
    if (zygote_->link->output) {
        zygote_->link->output->stop_waiting();
    }
}

void executor_impl::take_from_zygote(const link_ptr& l) {
    while (!l->distrusted && !l->ended) {
        std::span<std::byte> into;
        try {
            into = l->reader.prepare();
        } catch (const std::bad_alloc&) {
            zygote_misbehaved(*l, "there was no memory here for what it sent");
            return;
        }
        const ssize_t got =
            ::recv(l->socket.native_handle(), into.data(), into.size(), MSG_DONTWAIT);
        if (got > 0) {
            l->reader.commit(static_cast<std::size_t>(got));
            take_zygote_frames(*l);
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            l->ended = true;
            l->child->kill_group(); // the pidfd tells the rest
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

void executor_impl::take_zygote_frames(worker_link& l) {
    while (!l.distrusted) {
        const wire::frame_event event = l.reader.next();
        switch (event.kind) {
        case wire::frame_kind::need_more:
            return;
        case wire::frame_kind::doorbell:
            break; // it crashes, which will be seen
        case wire::frame_kind::complete:
            take_zygote_report(l, wire::parse_report(event.frame.envelope));
            break;
        case wire::frame_kind::malformed:
            zygote_misbehaved(l, std::string("it sent no frame: ") + wire::describe(event.error));
            return;
        }
    }
}

void executor_impl::take_zygote_report(worker_link& l, const wire::report& report) {
    if (const auto* answer = std::get_if<wire::forked>(&report)) {
        take_forked(l, *answer);
    } else if (const auto* reply = std::get_if<wire::reply_header>(&report)) {
        take_preloaded(l, *reply);
    } else if (const auto* hello = std::get_if<wire::hello>(&report)) {
        if (std::string why_not = refuse_hello(l, *hello); !why_not.empty()) {
            zygote_misbehaved(l, std::move(why_not));
            return;
        }
        zygote_->greeted = true;
        zygote_->plan.greeted(clock::now(), zygote_->actions);
        perform_zygote();
    } else if (const auto* log = std::get_if<wire::log_text>(&report)) {
        l.last_words = log->text;
    } else {
        zygote_misbehaved(l, "it sent what no zygote says");
    }
}

void executor_impl::take_preloaded(worker_link& l, const wire::reply_header& reply) {
    if (l.initializers == 0) {
        zygote_misbehaved(l, "it answered what it was not asked");
    } else if (reply.outcome != wire::reply_outcome::value) {
        zygote_misbehaved(l, std::string(reply.text));
    } else if (--l.initializers == 0) {
        zygote_->plan.preloaded(clock::now(), zygote_->actions);
        perform_zygote();
    }
}

void executor_impl::take_forked(worker_link& l, const wire::forked& answer) {
    const std::uint32_t worker = answer.number;
    const clock::time_point now = clock::now();
    if (!zygote_->plan.answered(worker, now)) {
        zygote_misbehaved(l, "it forked what it was not asked for");
        return;
    }
    fork_parts parts = std::move(zygote_->orders.extract(worker).mapped());
    if (answer.pid <= 0) {
        start_failed(worker, std::string(answer.text));
        return;
    }
    process::os_result<process::child> found = process::child::find(answer.pid);
    if (!found) {
        start_failed(worker, found.error().message());
        return;
    }
    if (!answer.text.empty()) {
        take_in(std::move(found).value());
        start_failed(worker, std::string(answer.text));
        return;
    }
    parts.worker.child.emplace(std::move(found).value());
    parts.worker.page->close_descriptor();
    install(worker, std::move(parts.worker));
    pool_.must_start_by(worker, pool::after(now, options_.start_timeout));
}

// A process that is of no use.
void executor_impl::take_in(process::child useless) {
    useless.kill_group();
    service_->adopt(std::move(useless), {}, io_);
}

void executor_impl::zygote_misbehaved(worker_link& l, std::string how) {
    if (l.distrusted) {
        return;
    }
    l.distrusted = true;
    l.end_cause = std::move(how);
    zygote_->plan.distrust(zygote_->actions);
    perform_zygote();
}

// ---- its end

// Its process has ended; what it wrote before that still counts.
void executor_impl::bury_zygote(const link_ptr& ended) {
    // It may be the one that is let go of below.
    const link_ptr l = ended; // NOLINT(performance-unnecessary-copy-initialization)
    if (!l->child->ended()) {
        return; // see on_death
    }
    l->child->kill_group();
    const std::optional<process::exit_status> status = l->child->reap();
    if (!status) {
        return; // what it had forked and was hit with it has not ended yet
    }
    take_from_zygote(l);
    l->take_output();
    forget_zygote_link();
    const errc code = l->initializers > 0 ? errc::initializer_failed
                      : zygote_->greeted  ? errc::spawn_failed
                                          : errc::handshake_failed;
    lose_zygote(code, describe_end_of_zygote(*l, *status));
    if (zygote_->over && shutdown_) {
        finish_shutdown(*shutdown_);
    }
}

std::string executor_impl::describe_end_of_zygote(const worker_link& l,
                                                  const process::exit_status& status) const {
    const std::string who = "zygote " + std::to_string(l.child->pid());
    const std::string call =
        l.initializers == 0
            ? std::string()
            : "preload " + std::to_string(options_.preload.size() - l.initializers + 1) + " of " +
                  std::to_string(options_.preload.size());
    std::string text;
    if (!l.end_cause.empty()) {
        text = call.empty() ? who + " was refused: " + l.end_cause
                            : call + " in " + who + ": " + l.end_cause;
    } else if (l.shot) {
        text = !call.empty()      ? call + " in " + who + " did not end in time"
               : zygote_->greeted ? who + " did not fork a worker in time"
                                  : who + " did not say hello in time";
    } else {
        text = who + ' ' + process::describe(status) +
               (!call.empty()      ? " in " + call
                : zygote_->greeted ? " when it was to fork a worker"
                                   : " before it was ready");
    }
    return text + l.last_said();
}

void executor_impl::forget_zygote_link() {
    const link_ptr l = std::exchange(zygote_->link, nullptr);
    l->gone = true;
    asio::error_code ignored;
    l->socket.close(ignored);
    if (l->output) {
        l->output->close();
    }
    if (l->death.is_open()) {
        static_cast<void>(l->death.release());
    }
}

bool executor_impl::zygote_ends() const noexcept {
    return zygote_ && zygote_->over && zygote_->link != nullptr;
}

// All workers have left. False: there is none.
bool executor_impl::ask_zygote_to_end() {
    if (!zygote_) {
        return false;
    }
    zygote_->over = true;
    if (zygote_->link == nullptr) {
        return false;
    }
    zygote_->link->kill(); // its pidfd tells the rest
    return true;
}

// The executor has ended. What was forked and not installed has told so by now, or dies with the
// zygote's group (protocol.capnp).
void executor_impl::end_zygote() noexcept {
    if (!zygote_) {
        return;
    }
    zygote_->over = true;
    zygote_->orders.clear();
    const link_ptr l = zygote_->link;
    if (l == nullptr) {
        return;
    }
    l->child->kill_group();
    take_in_forked(*l);
    forget_zygote_link();
    service_->adopt(std::move(*l->child), {}, io_);
}

void executor_impl::take_in_forked(worker_link& l) noexcept {
    try {
        for (;;) {
            const std::span<std::byte> into = l.reader.prepare();
            const ssize_t got =
                ::recv(l.socket.native_handle(), into.data(), into.size(), MSG_DONTWAIT);
            if (got <= 0) {
                return;
            }
            l.reader.commit(static_cast<std::size_t>(got));
            for (wire::frame_event event = l.reader.next();
                 event.kind != wire::frame_kind::need_more; event = l.reader.next()) {
                if (event.kind == wire::frame_kind::malformed) {
                    return;
                }
                const wire::report report = wire::parse_report(event.frame.envelope);
                const auto* const answer = std::get_if<wire::forked>(&report);
                if (answer != nullptr && answer->pid > 0) {
                    if (auto found = process::child::find(answer->pid)) {
                        take_in(std::move(found).value());
                    }
                }
            }
        }
    } catch (const std::bad_alloc&) {
        // They find the end of their sockets, and end by themselves.
    }
}

} // namespace coproc::detail
