#include "driver/executor_impl.hpp"
#include "driver/executor_service.hpp"

#include <asio/error.hpp>

#include <cerrno>
#include <new>
#include <string>
#include <utility>

#include <sys/socket.h>

// What the process that forks workers says (zygote.cpp).
namespace coproc::detail {

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
        take_hello_of_zygote(l, *hello);
    } else if (const auto* log = std::get_if<wire::log_text>(&report)) {
        l.last_words = log->text;
    } else {
        zygote_misbehaved(l, "it sent what no zygote says");
    }
}

void executor_impl::take_hello_of_zygote(worker_link& l, const wire::hello& hello) {
    if (zygote_->greeted) {
        zygote_misbehaved(l, "it said hello twice");
    } else if (std::string why_not = refuse_hello(l, hello); !why_not.empty()) {
        zygote_misbehaved(l, std::move(why_not));
    } else {
        zygote_->greeted = true;
        zygote_->plan.greeted(clock::now(), zygote_->actions);
        perform_zygote();
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

} // namespace coproc::detail
