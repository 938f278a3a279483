#include "driver/executor_impl.hpp"
#include "driver/own_loop.hpp"

#include <unistd.h>

// What the pool has recorded becomes events with names, processes and times, and the observer is
// told, last in our own completion handlers, without the mutex.
namespace coproc::detail {
namespace {

observed_task named(const job_core& job) noexcept {
    const std::string_view given = job.header.name.empty() ? job.header.exported : job.header.name;
    return {.id = job.id(),
            .name = given.empty() && job.function_name != nullptr ? job.function_name : given};
}

/// Elements of a chunk fail each for itself.
bool has_failed(const job_core& job) noexcept {
    return !job.has_value() && !(job.chunk() != nullptr && job.why() == errc::no_result);
}

} // namespace

observed_worker executor_impl::observed(const pool::event& e) noexcept {
    const worker_link* const l = link(e.worker);
    return {.number = e.number,
            .slot = e.slot,
            .pid = l == nullptr ? 0
                   : l->child   ? l->child->pid()
                                : ::getpid()};
}

event executor_impl::describe_end(const pool::event& e, event_time at) {
    worker_ended what{.at = at, .worker = observed(e), .ready = e.ready, .killed = e.killed};
    worker_link* const l = link(e.worker);
    if (l != nullptr && l->child) {
        const std::optional<process::exit_status> status = l->child->reap();
        if (status && status->how == process::exit_status::kind::signalled) {
            what.signal = status->value;
        } else if (status && status->how == process::exit_status::kind::exited) {
            what.status = status->value;
        }
    }
    return what;
}

event executor_impl::describe_retirement(const pool::event& e, event_time at) {
    worker_retired what{.at = at, .worker = observed(e), .reason = e.retired};
    const worker_link* const l = link(e.worker);
    if (e.retired == retire_reason::memory && l != nullptr && l->memory) {
        what.memory = report_of(*l);
    }
    return what;
}

event executor_impl::describe(const pool::event& e, event_time at) {
    const auto* const job = static_cast<const job_core*>(e.subject);
    switch (e.kind) {
    case pool::event_kind::worker_started:
        return worker_started{at, observed(e)};
    case pool::event_kind::start_failed:
        return worker_start_failed{at, observed(e), e.code};
    case pool::event_kind::worker_ready:
        return worker_ready{at, observed(e)};
    case pool::event_kind::worker_retired:
        return describe_retirement(e, at);
    case pool::event_kind::worker_crashed:
        return worker_crashed{at, observed(e)};
    case pool::event_kind::worker_ended:
        return describe_end(e, at);
    case pool::event_kind::resized:
        return executor_resized{at, e.size_before, e.size};
    case pool::event_kind::queued:
        return task_queued{at, named(*job), e.queued};
    case pool::event_kind::staged:
        return task_staged{at, named(*job), observed(e)};
    case pool::event_kind::done:
        break;
    }
    task_done what{.at = at, .task = named(*job), .certainty = e.how_certain};
    if (e.number != 0) {
        what.worker = observed(e);
    }
    if (has_failed(*job)) { // of a reply, too, it is known by now what it says
        what.error = static_cast<errc>(job->why().code().value());
        what.certainty = job->why().certainty();
    }
    return what;
}

// Under the mutex, when the actions are performed and before the links of dead workers go.
void executor_impl::collect_events() {
    const clock::time_point now = clock::now();
    for (const pool::event& e : pool_.news()) {
        auto* const job = static_cast<job_core*>(e.subject);
        events_.add(describe(e, now), job != nullptr ? share(*job) : job_ptr());
        if (job != nullptr && e.kind == pool::event_kind::done && job->detached &&
            has_failed(*job)) {
            events_.add(detached_failed{now, named(*job), job->why()}, share(*job));
        }
    }
    pool_.news().clear();
}

void executor_impl::detach(job_core& job) {
    if (!options_.observer || forked()) {
        return;
    }
    const std::lock_guard lock(mutex_);
    if (!job.done()) {
        job.detached = true;
    } else if (has_failed(job)) {
        events_.add(detached_failed{clock::now(), named(job), job.why()}, share(job));
        post_ready();
    }
}

void executor_impl::tell_events() {
    if (forked()) {
        silence_observer(); // else what waits would be posted again and again
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        if (!events_.waits()) {
            return;
        }
        events_.begin_telling();
    }
    /// Runs also when the observer throws.
    struct ending {
        executor_impl& self;
        ~ending() {
            event_queue::entries left;
            const std::lock_guard lock(self.mutex_);
            left = self.events_.end_telling();
        }
    } const at_end{*this};
    if (own_loop::silent_here() != nullptr) {
        events_.forget();
    } else {
        events_.tell(options_.observer);
    }
}

void executor_impl::silence_observer() noexcept {
    std::pair<event_queue::entries, event_queue::entries> untold;
    const std::lock_guard lock(mutex_);
    untold = events_.close();
}

} // namespace coproc::detail
