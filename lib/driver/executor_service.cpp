#include "driver/executor_service.hpp"

#include <cerrno>
#include <new>
#include <utility>

#include <poll.h>

namespace coproc::detail {

void executor_service::adopt(process::child dead, lent_arrays lent,
                             const asio::any_io_executor& io) noexcept {
    if (dead.reap()) {
        return;
    }
    const std::lock_guard lock(mutex_);
    orphans_.remove_if([](orphan& o) { return !o.death && o.child.reap(); });
    try {
        orphans_.push_front({std::move(dead), std::move(lent), std::nullopt});
        orphans_.front().death.emplace(io, orphans_.front().child.pidfd());
        reap_later(orphans_.begin());
    } catch (...) {
        // The loop cannot watch it. If it is in the list, it is reaped with the next one, or when
        // the context is destroyed.
    }
}

void executor_service::reap_later(orphans::iterator it) {
    it->death->async_wait(asio::posix::stream_descriptor::wait_read,
                          [this, it](const asio::error_code& error) {
                              if (error) {
                                  return; // the context is being destroyed
                              }
                              const std::lock_guard lock(mutex_);
                              if (it->child.reap()) {
                                  static_cast<void>(it->death->release());
                                  orphans_.erase(it);
                              } else {
                                  reap_later(it);
                              }
                          });
}

void executor_service::shutdown() {
    executors_->loop_ends();
    if (fork_generation_ != process::fork_generation()) {
        // A forked child: they are the parent's, and so are their registrations with its loop.
        static_cast<void>(new (std::nothrow) orphans(std::move(orphans_)));
        return;
    }
    const std::lock_guard lock(mutex_);
    for (orphan& o : orphans_) {
        if (o.death) {
            static_cast<void>(o.death->release());
        }
        // They have got SIGKILL: this ends soon.
        pollfd wait{.fd = o.child.pidfd(), .events = POLLIN, .revents = 0};
        while (!o.child.reap() && (::poll(&wait, 1, -1) >= 0 || errno == EINTR)) {
        }
    }
    orphans_.clear();
}

} // namespace coproc::detail
