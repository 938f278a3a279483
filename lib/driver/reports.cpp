#include "driver/executor_impl.hpp"
#include "driver/progress_core.hpp"
#include "process/modules.hpp"

#include <algorithm>
#include <new>

// What a worker reports, in frames on its socket and in its ring.
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

/// Whether the function lies in our executable, which is not the worker's.
bool lies_elsewhere(const wire::task_header& task, const worker_link& l) {
    return !l.same_build && task.exported.empty() &&
           (task.module == 0 || (task.function != 0 && task.function_module == 0));
}

bool is_this_build(const wire::hello& hello) {
    return std::ranges::equal(hello.build_id, process::module_table::instance().describe(0).id);
}

} // namespace

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
            std::holds_alternative<wire::progress_header>(report) ||
            std::holds_alternative<wire::retire_request>(report)) {
            take_report(l, worker, report, event.frame, l.ring);
        } else {
            misbehaved(l, worker, "it left something in its ring that is no reply");
        }
    }
}

void executor_impl::take_report(worker_link& l, std::uint32_t worker, const wire::report& report,
                                const wire::frame& frame, auto& source) {
    if (const auto* reply = std::get_if<wire::reply_header>(&report)) {
        if (l.initializers > 0) {
            take_initialized(l, worker, *reply);
            return;
        }
        if (reply->outcome == wire::reply_outcome::part) {
            take_part(l, worker, *reply, frame, source);
            return;
        }
        l.stray_parts = 0;
        pool::task* const owner = pool_.owner(worker, reply->sequence);
        if (l.memory) { // one that was given up grows its worker, too
            l.memory->ended(owner != nullptr ? static_cast<job_core&>(*owner).key()
                                             : pool::function_key());
        }
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
            let_go_later(l.lent.give_back(reply->sequence));
            ++l.replies;
        } else {
            misbehaved(l, worker, "it answered a task that it did not have");
        }
    } else if (const auto* progress = std::get_if<wire::progress_header>(&report)) {
        take_progress(l, worker, *progress, frame, source);
    } else if (const auto* hello = std::get_if<wire::hello>(&report)) {
        take_hello(l, worker, *hello);
    } else if (std::holds_alternative<wire::retire_request>(report)) {
        l.retires = true;
    } else if (const auto* cleaned = std::get_if<wire::cleaned>(&report)) {
        take_cleaned(l, worker, *cleaned);
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
                          .how_certain = pool::after_deaths(
                              certainty_of(reply.outcome, job.chunk() != nullptr), job.deaths),
                          .task_name = job.task_name(),
                          .function = job.function,
                          .cause = std::string(reply.text),
                          .earlier_deaths = job.deaths};
    if (reply.outcome == wire::reply_outcome::unknown_function && lies_elsewhere(job.header, l)) {
        record.advice = "put both into a shared library, export it from the worker's program "
                        "(coproc::named), or use start_method::exec";
    }
    if (reply.outcome == wire::reply_outcome::threw) {
        // Decoded by who asks for it: its codec may be a user's.
        record.thrown = thrown_there{.encoded = {frame.payload.begin(), frame.payload.end()},
                                     .worker_pid = l.child ? l.child->pid() : ::getpid()};
    }
    job.store_failure(make_failure(std::move(record)));
}

std::string executor_impl::refuse_hello(const worker_link& l, const wire::hello& hello) const {
    if (hello.nonce != l.nonce) {
        return "it is not the process that was started";
    }
    if (hello.version != wire::protocol_version) {
        return "it speaks version " + std::to_string(hello.version) + " of the protocol, not " +
               std::to_string(wire::protocol_version);
    }
    if (options_.start != start_method::program && !is_this_build(hello)) {
        return "its executable is another build of the program";
    }
    return {};
}

void executor_impl::take_hello(worker_link& l, std::uint32_t worker, const wire::hello& hello) {
    l.same_build = is_this_build(hello);
    if (std::exchange(l.greeted, true)) {
        misbehaved(l, worker, "it said hello twice");
    } else if (std::string why_not = refuse_hello(l, hello); !why_not.empty()) {
        misbehaved(l, worker, std::move(why_not));
    } else if (options_.initializers.empty()) {
        pool_.ready(worker, clock::now(), actions_);
    } else {
        initialize(l, worker);
    }
}

void executor_impl::initialize(worker_link& l, std::uint32_t worker) {
    pool_.greeted(worker, clock::now());
    try {
        for (const call& next : options_.initializers) {
            if (const char* const why = l.initialize(next, l.initializers)) {
                misbehaved(l, worker, std::string("an initializer cannot be called: ") + why);
                return;
            }
        }
    } catch (const std::bad_alloc&) {
        misbehaved(l, worker, "there was no memory for what it should be sent");
        return;
    }
    l.dirty = true;
    dirty_.push_back(worker);
}

void executor_impl::take_initialized(worker_link& l, std::uint32_t worker,
                                     const wire::reply_header& reply) {
    if (reply.outcome != wire::reply_outcome::value) {
        misbehaved(l, worker, std::string(reply.text));
    } else if (--l.initializers == 0) {
        pool_.ready(worker, clock::now(), actions_);
    }
}

} // namespace coproc::detail
