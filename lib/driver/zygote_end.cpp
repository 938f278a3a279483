#include "driver/executor_impl.hpp"
#include "driver/executor_service.hpp"

#include <asio/error.hpp>

#include <new>
#include <string>
#include <utility>

#include <sys/socket.h>

// The end of the process that forks workers (zygote.cpp): of its own, or with its executor.
namespace coproc::detail {

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
    const std::string who = l.name("zygote");
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
