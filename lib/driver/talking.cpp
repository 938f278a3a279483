#include "driver/executor_impl.hpp"
#include "driver/progress_core.hpp"
#include "process/exiting.hpp"
#include "process/modules.hpp"

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>

#include <algorithm>
#include <csignal>
#include <new>

#include <sys/ioctl.h>
#include <sys/socket.h>

// One worker's socket, ring and pidfd: frames out, frames in, and its death.
namespace coproc::detail {
namespace {

/// Larger values are taken over with their buffer instead of being copied.
constexpr std::size_t large_value = 32 * 1024;

errc code_of(wire::reply_outcome outcome) {
    switch (outcome) {
    case wire::reply_outcome::value:
    case wire::reply_outcome::part:
        break;
    case wire::reply_outcome::unknown_function:
        return errc::unknown_function;
    case wire::reply_outcome::decode_failed:
        return errc::decode_failed;
    case wire::reply_outcome::threw:
        return errc::task_threw;
    case wire::reply_outcome::encode_failed:
        return errc::encode_failed;
    case wire::reply_outcome::too_large:
        return errc::too_large;
    }
    return errc::no_result;
}

certainty certainty_of(wire::reply_outcome outcome, bool chunk) {
    if (outcome == wire::reply_outcome::unknown_function ||
        outcome == wire::reply_outcome::decode_failed) {
        return certainty::not_started;
    }
    return chunk ? certainty::may_have_run : certainty::ran; // not all of its elements, perhaps
}

} // namespace

// ---- out

// Frames are written when the worker has no more left to do than what waits for it here: so it
// never runs dry, and a thousand tasks cost ten system calls. While it has more, its next answers
// bring us back here.
void executor_impl::flush() {
    std::size_t kept = 0;
    for (const std::uint32_t worker : dirty_) {
        worker_link* const l = link(worker);
        if (l == nullptr) {
            continue;
        }
        if (pool_.worker_at(worker).tasks.unsettled() <= 2 * l->unwritten) {
            l->dirty = false;
            write(worker);
        } else {
            dirty_[kept++] = worker;
        }
    }
    dirty_.resize(kept);
}

void executor_impl::write(std::uint32_t worker) {
    const link_ptr& l = links_[worker];
    if (l->awaits_room || l->write()) {
        return;
    }
    l->awaits_room = true;
    l->socket.async_wait(asio::local::stream_protocol::socket::wait_write,
                         [self = shared_from_this(), l, worker](const asio::error_code&) {
                             const std::lock_guard lock(self->mutex_);
                             l->awaits_room = false;
                             // Also if the wait was given up in rest(): a task may have come since.
                             if (!l->gone) {
                                 self->write(worker);
                             }
                         });
}

// ---- in

void executor_impl::read(std::uint32_t worker) {
    const link_ptr& l = links_[worker];
    std::span<std::byte> into;
    try {
        into = l->reader.prepare();
    } catch (const std::bad_alloc&) {
        sent_too_much(*l, worker);
        return;
    }
    l->reading = true;
    l->socket.async_read_some(
        asio::buffer(into.data(), into.size()),
        [self = shared_from_this(), l, worker](const asio::error_code& error, std::size_t bytes) {
            self->on_read(l, worker, error, bytes);
        });
}

void executor_impl::on_read(const link_ptr& l, std::uint32_t worker, const asio::error_code& error,
                            std::size_t bytes) {
    {
        const std::lock_guard lock(mutex_);
        l->reading = false;
        if (l->gone) {
            return;
        }
        l->reader.commit(bytes);
        if (l->reaped) {
            finish_death(*l, worker);
        } else if (!error) {
            take_all(*l, worker);
        } else if (error != asio::error::operation_aborted) {
            end_of_stream(*l, worker);
        } // else it was cancelled in rest(), and may be wanted again
        perform();
        after_events();
    }
    run_ready();
}

// While answers keep coming, the ring is looked at once in a turn of the loop, and the worker need
// not ring: the bell is armed when a look has found nothing.
void executor_impl::look_again_later(std::uint32_t worker) {
    const link_ptr& l = links_[worker];
    l->look_posted = true;
    asio::post(io_, [self = shared_from_this(), l, worker] { self->look_again(l, worker); });
}

void executor_impl::look_again(const link_ptr& l, std::uint32_t worker) {
    {
        const std::lock_guard lock(mutex_);
        l->look_posted = false;
        if (l->gone) {
            return;
        }
        take_all(*l, worker);
        perform();
        after_events();
    }
    run_ready();
}

void executor_impl::take_all(worker_link& l, std::uint32_t worker) {
    take_frames(l, worker);
    take_ring(l, worker);
    look_for_crash(l, worker);
    const std::size_t replies = std::exchange(l.replies, 0);
    pool_.drained(worker, replies, clock::now(), actions_);
    const bool reported = std::exchange(l.reported, false);
    if ((replies > 0 || reported) && !l.look_posted && !l.gone &&
        pool_.worker_at(worker).tasks.unsettled() > 0) {
        look_again_later(worker);
    }
}

void executor_impl::take_frames(worker_link& l, std::uint32_t worker) {
    bool drained = false;
    while (!l.distrusted) {
        const wire::frame_event event = l.reader.next();
        switch (event.kind) {
        case wire::frame_kind::need_more:
            return;
        case wire::frame_kind::doorbell:
            l.bell_armed = false;
            break;
        case wire::frame_kind::complete:
            if (!drained) { // what is in it was sent before all that has been read by now
                take_ring(l, worker);
                drained = true;
            }
            take_report(l, worker, wire::parse_report(event.frame.envelope), event.frame, l.reader);
            break;
        case wire::frame_kind::malformed:
            misbehaved(l, worker, std::string("it sent no frame: ") + wire::describe(event.error));
            return;
        }
    }
}

void executor_impl::take_ring(worker_link& l, std::uint32_t worker) {
    // Up to where it had come at the beginning: it may go on reporting as fast as it is read.
    const std::uint64_t end = l.ring.published();
    while (!l.distrusted && l.ring.position() < end) {
        wire::frame_event event;
        try {
            event = l.ring.next();
        } catch (const std::bad_alloc&) {
            sent_too_much(l, worker);
            return;
        }
        if (event.kind == wire::frame_kind::need_more) {
            return;
        }
        if (event.kind != wire::frame_kind::complete) {
            misbehaved(l, worker,
                       std::string("it left no frame in its ring: ") + wire::describe(event.error));
            return;
        }
        const wire::report report = wire::parse_report(event.frame.envelope);
        if (std::holds_alternative<wire::reply_header>(report) ||
            std::holds_alternative<wire::progress_header>(report)) {
            take_report(l, worker, report, event.frame, l.ring);
        } else {
            misbehaved(l, worker, "it left something in its ring that is no reply");
        }
    }
}

void executor_impl::take_report(worker_link& l, std::uint32_t worker, const wire::report& report,
                                const wire::frame& frame, auto& source) {
    if (const auto* reply = std::get_if<wire::reply_header>(&report)) {
        if (reply->outcome == wire::reply_outcome::part) {
            take_part(l, worker, *reply, frame, source);
            return;
        }
        l.stray_parts = 0;
        pool::task* const owner = pool_.owner(worker, reply->sequence);
        if (owner != nullptr) {
            try {
                store(static_cast<job_core&>(*owner), l, *reply, frame, source);
            } catch (const std::bad_alloc&) {
                job_core& job = static_cast<job_core&>(*owner);
                job.store_failure(make_failure({.code = errc::out_of_memory,
                                                .how_certain = certainty::ran,
                                                .function = job.function})); // a name takes memory
            }
        }
        if (pool_.replied(worker, reply->sequence, actions_)) {
            ++l.replies;
        } else {
            misbehaved(l, worker, "it answered a task that it did not have");
        }
    } else if (const auto* progress = std::get_if<wire::progress_header>(&report)) {
        take_progress(l, worker, *progress, frame, source);
    } else if (const auto* hello = std::get_if<wire::hello>(&report)) {
        take_hello(l, worker, *hello);
    } else if (const auto* log = std::get_if<wire::log_text>(&report)) {
        l.last_words = log->text;
    } else {
        misbehaved(l, worker,
                   std::string("it sent no message: ") +
                       wire::describe(std::get<wire::message_error>(report)));
    }
}

// Some elements of a chunk have ended, and it goes on.
void executor_impl::take_part(worker_link& l, std::uint32_t worker, const wire::reply_header& reply,
                              const wire::frame& frame, auto& source) {
    // Who is asked to stop a chunk does so at the next element.
    constexpr std::size_t most_strays = 1024;
    auto* const job = static_cast<job_core*>(pool_.owner(worker, reply.sequence));
    if (job == nullptr) {
        if (++l.stray_parts > most_strays) {
            misbehaved(l, worker, "it went on to send parts of a result that nobody waits for");
        }
        return;
    }
    try {
        if (!store_part(*job, l, frame, source)) {
            misbehaved(l, worker, "it sent something else than results of a chunk");
        }
    } catch (const std::bad_alloc&) {
        sent_too_much(l, worker);
    }
}

bool executor_impl::store_part(job_core& job, worker_link& l, const wire::frame& frame,
                               auto& source) {
    return job.chunk() != nullptr &&
           job.chunk()->results.add(frame.payload.size() >= large_value
                                        ? source.take_payload()
                                        : wire::payload_buffer(frame.payload),
                                    l.child ? l.child->pid() : ::getpid());
}

void executor_impl::take_progress(worker_link& l, std::uint32_t worker,
                                  const wire::progress_header& progress, const wire::frame& frame,
                                  auto& source) {
    if (!pool_.has(worker, progress.sequence)) {
        misbehaved(l, worker, "it reported the progress of a task that it did not have");
        return;
    }
    l.reported = true;
    const auto* const job = static_cast<job_core*>(pool_.owner(worker, progress.sequence));
    if (job == nullptr) { // it was given up, and must not wait for a reader
        if (progress.sink < memory::max_sinks) {
            l.page->acceptances().refuse(progress.sink, progress.sequence);
            l.page->wake_acceptance_waiters(progress.sink);
        }
        return;
    }
    if (job->luggage == nullptr || progress.sink >= job->luggage->size()) {
        misbehaved(l, worker, "it reported the progress of a task that has no such sink");
        return;
    }
    std::optional<wire::payload_buffer> bytes;
    try {
        bytes = frame.payload.size() >= large_value ? source.take_payload()
                                                    : wire::payload_buffer(frame.payload);
    } catch (const std::bad_alloc&) {
        // It costs the value.
    }
    job->luggage->arrive(l.page, progress, std::move(bytes));
}

void executor_impl::store(job_core& job, worker_link& l, const wire::reply_header& reply,
                          const wire::frame& frame, auto& source) {
    if (reply.outcome == wire::reply_outcome::value && job.chunk() != nullptr) {
        streams::chunk_results& chunk = job.chunk()->results;
        const bool whole = frame.payload.empty() || store_part(job, l, frame, source);
        if (!whole || chunk.settled() < chunk.elements()) {
            job.store_failure(undecodable(job, "some elements of the chunk have none"));
        }
        job.end_chunk();
        return;
    }
    if (reply.outcome == wire::reply_outcome::value) {
        if (frame.payload.size() >= large_value) {
            job.store_value(source.take_payload());
        } else {
            job.store_value(frame.payload);
        }
        return;
    }
    failure_record record{.code = code_of(reply.outcome),
                          .how_certain = certainty_of(reply.outcome, job.chunk() != nullptr),
                          .task_name = job.task_name(),
                          .function = job.function,
                          .cause = std::string(reply.text)};
    if (reply.outcome == wire::reply_outcome::threw) {
        // Decoded by who asks for it: its codec may be a user's.
        record.thrown = thrown_there{.encoded = {frame.payload.begin(), frame.payload.end()},
                                     .worker_pid = l.child ? l.child->pid() : ::getpid()};
    }
    job.store_failure(make_failure(std::move(record)));
}

void executor_impl::take_hello(worker_link& l, std::uint32_t worker, const wire::hello& hello) {
    if (hello.nonce != l.nonce) {
        misbehaved(l, worker, "it is not the process that was started");
    } else if (hello.version != wire::protocol_version) {
        misbehaved(l, worker,
                   "it speaks version " + std::to_string(hello.version) + " of the protocol, not " +
                       std::to_string(wire::protocol_version));
    } else if (!std::ranges::equal(hello.build_id,
                                   process::module_table::instance().describe(0).id)) {
        misbehaved(l, worker, "its executable is another build of the program");
    } else {
        pool_.ready(worker, clock::now(), actions_);
    }
}

// ---- ends

void executor_impl::misbehaved(worker_link& l, std::uint32_t worker, std::string how) {
    if (l.distrusted) {
        return;
    }
    l.distrusted = true;
    l.end_cause = std::move(how);
    l.fate()->signal = SIGKILL; // which it gets now
    pool_.crashed(worker, false, clock::now(), actions_);
}

void executor_impl::sent_too_much(worker_link& l, std::uint32_t worker) {
    l.too_much = true;
    misbehaved(l, worker, "there was no memory here for what it sent");
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
void executor_impl::listen_to_output(std::uint32_t worker) {
    const link_ptr& l = links_[worker];
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
        if (!error) {
            l->child->kill_group();
            l->reaped = l->child->reap().has_value();
        }
        if (l->reaped && l->reading) {
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
    if (now && oom_kills_.claim(*l.oom_kills_before, *now)) {
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

// The worker is reaped, or it was a thread that we let go of. What it wrote has been taken.
void executor_impl::bury(worker_link& l, std::uint32_t worker) {
    const pool::worker& known = pool_.worker_at(worker);
    if (known.state == pool::worker_state::starting && !known.dismissed) {
        const std::string who = "worker " + std::to_string(l.child ? l.child->pid() : 0);
        if (!l.end_cause.empty()) {
            start_cause_ = who + " was refused: " + l.end_cause;
        } else if (pool_.worker_at(worker).killed) {
            start_cause_ = who + " did not say hello in time";
        } else {
            const std::optional<process::exit_status> status =
                l.child ? l.child->reap() : std::nullopt;
            start_cause_ = who + " " + (status ? process::describe(*status) : "ended") +
                           " before it was ready";
        }
        if (!l.last_words.empty()) {
            start_cause_ += ": " + l.last_words;
        } else if (l.output) {
            const std::string written = l.output->tails()->text(output::error);
            if (!written.empty()) {
                start_cause_ += "; it wrote " + text::quoted(text::last_lines(written, 3, 300));
            }
        }
    }
    const bool was_starting = pool_.worker_at(worker).state == pool::worker_state::starting;
    exited(worker, was_starting                                ? errc::handshake_failed
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
    pool_.exited(
        worker, code, [&](std::uint64_t sequence) { return fate_of(*l, worker, sequence); },
        clock::now(), actions_);
    l->gone = true;
    buried_.push_back(worker);
}

} // namespace coproc::detail
