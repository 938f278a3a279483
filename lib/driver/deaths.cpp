#include "driver/executor_impl.hpp"
#include "process/exiting.hpp"

#include <asio/error.hpp>

#include <csignal>
#include <new>

#include <sys/ioctl.h>
#include <sys/socket.h>

// How one worker ends, and what is learnt from it.
namespace coproc::detail {

void executor_impl::misbehaved(worker_link& l, std::uint32_t worker, std::string how) {
    if (l.distrusted) {
        return;
    }
    l.distrusted = true;
    look_for_crash(l, worker);
    if (l.crash_seen) {
        return; // then what it wrote last may well be broken
    }
    l.end_cause = std::move(how);
    l.fate()->signal = SIGKILL; // which it gets now
    pool_.crashed(worker, false, clock::now(), actions_);
}

void executor_impl::sent_too_much(worker_link& l, std::uint32_t worker) {
    l.too_much = true;
    misbehaved(l, worker, "there was no memory here for what it sent");
}

// Who asks for workers that are ready wants living ones; and of those that die together, none is to
// be given what another one had.
void executor_impl::look_at_idle() {
    for (std::uint32_t w = 0; w < links_.size(); ++w) {
        const worker_link* const l = link(w);
        if (l != nullptr && pool_.worker_at(w).state == pool::worker_state::idle && l->child &&
            l->child->ended()) {
            pool_.died(w);
        }
    }
}

void executor_impl::look_for_crash(worker_link& l, std::uint32_t worker) {
    if (l.newly_crashed()) {
        pool_.crashed(worker, true, clock::now(), actions_);
    }
}

// The process ends, or has closed its socket, which is the end of it.
void executor_impl::end_of_stream(worker_link& l, std::uint32_t worker) {
    l.ended = true;
    pool_.died(worker);
    take_all(l, worker);
    if (l.child) {
        if (!l.distrusted && !l.child->reaped() && !process::is_exiting(l.child->pid())) {
            l.end_cause = "it had closed its connection";
            l.shot = true;
        }
        l.child->kill_group(); // the pidfd tells the rest
    } else {
        bury(l, worker);
    }
}

void executor_impl::watch(std::uint32_t worker) {
    const link_ptr& l = links_[worker];
    l->watching = true;
    l->death.async_wait(asio::posix::stream_descriptor::wait_read,
                        [self = shared_from_this(), l, worker](const asio::error_code& error) {
                            self->on_death(l, worker, error);
                        });
}

// What it writes is read while somebody listens to it, so that no task waits for room in a pipe.
void executor_impl::listen_to_output(const link_ptr& l) {
    for (const output which : both_outputs) {
        captured_output::pipe& pipe = (*l->output)[which];
        if (pipe.waiting || !pipe.end.is_open()) {
            continue;
        }
        pipe.waiting = true;
        pipe.end.async_wait(asio::posix::stream_descriptor::wait_read,
                            [self = shared_from_this(), l, which](const asio::error_code& error) {
                                {
                                    const std::lock_guard lock(self->mutex_);
                                    (*l->output)[which].waiting = false;
                                    if (l->gone) {
                                        return;
                                    }
                                    if (!error) {
                                        l->output->take(which);
                                    }
                                    self->after_events();
                                }
                                self->run_ready();
                            });
    }
}

void executor_impl::on_death(const link_ptr& l, std::uint32_t worker,
                             const asio::error_code& error) {
    {
        const std::lock_guard lock(mutex_);
        l->watching = false;
        if (l->gone) {
            return;
        }
        // Asio may complete a wait for an event of another descriptor, which was closed just before
        // this one took its place: a living worker is watched again.
        if (!error && l->child->ended()) {
            l->child->kill_group();
            l->reaped = l->child->reap().has_value();
        }
        if (l->reaped && l->reading) {
            pool_.died(worker);
            // That read may hold bytes that arrived before the death: they come first.
            l->socket.cancel();
        } else if (l->reaped) {
            finish_death(*l, worker);
        }
        perform();
        after_events();
    }
    run_ready();
}

// What the worker wrote before it died still counts.
void executor_impl::finish_death(worker_link& l, std::uint32_t worker) {
    pool_.died(worker);
    look_at_idle();
    take_all(l, worker);
    take_rest(l, worker);
    take_all(l, worker);
    l.take_output();
    l.learn_exit(*l.child->reap());
    look_for_shortage(l);
    bury(l, worker);
}

// A SIGKILL that came from nobody here may be the kernel's.
void executor_impl::look_for_shortage(worker_link& l) {
    if (!l.killed_by_stranger() || !l.oom_kills_before) {
        return;
    }
    const std::optional<std::uint64_t> now = count_oom_kills();
    if (now && process::claim_oom_kill(*l.oom_kills_before, *now)) {
        l.fate()->shortage = memory_shortage::likely;
    }
}

// What lies in the socket at this moment: something that the worker has started may hold the socket
// and write to it for ever.
void executor_impl::take_rest(worker_link& l, std::uint32_t worker) {
    int left = 0;
    ::ioctl(l.socket.native_handle(), FIONREAD, &left);
    while (left > 0 && !l.distrusted) {
        std::span<std::byte> into;
        try {
            into = l.reader.prepare();
        } catch (const std::bad_alloc&) {
            sent_too_much(l, worker);
            return;
        }
        const ssize_t got =
            ::recv(l.socket.native_handle(), into.data(), into.size(), MSG_DONTWAIT);
        if (got <= 0) {
            return;
        }
        left -= static_cast<int>(got);
        l.reader.commit(static_cast<std::size_t>(got));
        take_frames(l, worker);
    }
}

// For tasks that no worker has begun.
std::string executor_impl::describe_idle_death(worker_link& l) {
    const std::optional<process::exit_status> status = l.child ? l.child->reap() : std::nullopt;
    const std::string how = !l.end_cause.empty() ? "was refused: " + l.end_cause
                            : status             ? process::describe(*status)
                                                 : "ended";
    return l.name() + ' ' + how + l.last_said();
}

// The worker is reaped, or it was a thread that we let go of. What it wrote has been taken.
void executor_impl::bury(worker_link& l, std::uint32_t worker) {
    const pool::worker& known = pool_.worker_at(worker);
    if (known.state == pool::worker_state::starting && !known.dismissed) {
        const std::string who = l.name();
        const std::string initializer =
            l.initializers == 0
                ? std::string()
                : "initializer " +
                      std::to_string(options_.initializers.size() - l.initializers + 1) + " of " +
                      std::to_string(options_.initializers.size());
        if (!l.end_cause.empty()) {
            start_cause_ = l.initializers > 0 ? initializer + " in " + who + ": " + l.end_cause
                                              : who + " was refused: " + l.end_cause;
        } else if (pool_.worker_at(worker).killed) {
            start_cause_ = l.initializers > 0 ? initializer + " in " + who + " did not end in time"
                                              : who + " did not say hello in time";
        } else {
            const std::optional<process::exit_status> status =
                l.child ? l.child->reap() : std::nullopt;
            start_cause_ = who + " " + (status ? process::describe(*status) : "ended") +
                           (l.initializers > 0 ? " in " + initializer : " before it was ready");
        }
        start_cause_ += l.last_said();
    } else if (!known.dismissed) {
        start_cause_ = describe_idle_death(l);
    }
    const bool was_starting = pool_.worker_at(worker).state == pool::worker_state::starting;
    exited(worker, was_starting && l.initializers > 0          ? errc::initializer_failed
                   : was_starting                              ? errc::handshake_failed
                   : l.fate()->shortage != memory_shortage::no ? errc::out_of_memory
                                                               : errc::worker_terminated);
}

// The worker is dead.
pool::slot_state executor_impl::fate_of(worker_link& l, std::uint32_t worker,
                                        std::uint64_t sequence) {
    const memory::task_fate fate = l.page->slots().fate(sequence);
    if (fate == memory::task_fate::never_began) {
        return pool::slot_state::offered;
    }
    const auto* job = static_cast<job_core*>(pool_.owner(worker, sequence));
    if (job != nullptr && job->chunk() != nullptr && l.child) { // a thread may go on
        const streams::chunk_results& chunk = job->chunk()->results;
        const memory::chunk_loss loss = loss_of(*job, l, sequence);
        if (chunk.settled() + loss.ran + loss.may_have_run < chunk.elements()) {
            return pool::slot_state::begun_in_part;
        }
    }
    return fate == memory::task_fate::ran ? pool::slot_state::finished : pool::slot_state::begun;
}

// Tells the pool, and performs what follows while the link is still there for the causes.
void executor_impl::exited(std::uint32_t worker, errc code) {
    const link_ptr l = links_[worker];
    l->last_step = l->page->layout().chunk_step.load(std::memory_order_acquire);
    pool_.exited(
        worker, code, [&](std::uint64_t sequence) { return fate_of(*l, worker, sequence); },
        clock::now(), actions_);
    l->gone = true;
    buried_.push_back(worker);
}

} // namespace coproc::detail
