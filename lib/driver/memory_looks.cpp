#include "driver/executor_impl.hpp"
#include "megabytes.hpp"
#include "process/memory_use.hpp"

#include <asio/post.hpp>

#include <csignal>
#include <new>
#include <string>
#include <utility>

// Looks at the memory of workers, and what follows from them.
//
// A worker is looked at when answers of it have come and the last look is older than the period:
// then it is about to be between two tasks. So a task that comes alone costs no timer. Only a hard
// limit needs one, because it holds in the midst of tasks, too.
namespace coproc::detail {

using pool::memory_watch;

void executor_impl::look_at_memory(worker_link& l, std::uint32_t worker, clock::time_point now) {
    const pool::worker& known = pool_.worker_at(worker);
    if (!l.memory || l.child->reaped() || known.killed ||
        known.state == pool::worker_state::stopping) {
        return;
    }
    const std::optional<std::uint64_t> bytes =
        process::private_memory("/proc/" + std::to_string(l.child->pid()));
    if (!bytes) {
        l.memory->not_measured(now);
        return;
    }
    if (known.retired == retire_reason::none) {
        l.memory->kept();
    }
    switch (l.memory->measured(*bytes, now)) {
    case memory_watch::advice::nothing:
    case memory_watch::advice::retire:
        return;
    case memory_watch::advice::clean_up:
        ask_to_clean_up(l, worker, now);
        return;
    case memory_watch::advice::kill:
        exceeded(l, worker, now);
        return;
    }
}

void executor_impl::ask_to_clean_up(worker_link& l, std::uint32_t worker, clock::time_point now) {
    try {
        l.writer.append(wire::clean_up{.limit = l.memory->limit()});
    } catch (const std::bad_alloc&) {
        misbehaved(l, worker, "there was no memory for what it should be sent");
        return;
    }
    pool_.cleaning(worker, now);
    write(worker);
}

void executor_impl::take_cleaned(worker_link& l, std::uint32_t worker,
                                 const wire::cleaned& report) {
    if (!l.is_cleaning()) {
        misbehaved(l, worker, "it told that it has cleaned up, for which nobody had asked");
        return;
    }
    pool_.cleaned(worker);
    if (l.memory->cleaned(std::uint64_t{report.kibibytes} * 1024) == memory_watch::advice::retire) {
        retire_for_memory(links_[worker], worker);
    }
}

// When those who wait for its results have been told, since what they submit next decides whether
// it needs a successor: one who has a task at a time would else find no worker at all.
void executor_impl::retire_for_memory(link_ptr l, std::uint32_t worker) {
    asio::post(io_, [self = shared_from_this(), l = std::move(l), worker] {
        {
            const std::lock_guard lock(self->mutex_);
            if (self->stopped_ || l->gone) {
                return;
            }
            if (self->pool_.unfinished() == 0 && !self->ready_.empty()) {
                self->retire_for_memory(l, worker);
                return;
            }
            self->pool_.retire(worker, retire_reason::memory, clock::now(), self->actions_);
            self->perform();
            self->after_events();
        }
        self->run_ready();
    });
}

// The hard limit.
void executor_impl::exceeded(worker_link& l, std::uint32_t worker, clock::time_point now) {
    l.end_cause = "it had " + megabytes(l.memory->suspect()) +
                  ", and executor_options::leak.hard is " + megabytes(options_.leak.hard);
    l.fate()->signal = SIGKILL; // which it gets now
    l.fate()->shortage = memory_shortage::certain;
    pool_.exceeded(worker, now, actions_);
}

memory_report executor_impl::report_of(const worker_link& l) {
    memory_report report{.pid = l.child->pid(),
                         .slot = l.slot,
                         .reference = l.memory->reference(),
                         .limit = l.memory->limit(),
                         .measured = l.memory->suspect(),
                         .after_clean_up = l.memory->after_cleaning()};
    for (pool::growth_ledger::entry& one : l.memory->functions().growing()) {
        report.functions.push_back(
            {.function = one.address,
             .function_name = one.name != nullptr ? one.name : std::move(one.exported),
             .bytes = static_cast<std::uint64_t>(one.bytes),
             .tasks = one.tasks});
    }
    return report;
}

// With a hard limit, once a period while there is work.
void executor_impl::look_at_all(clock::time_point now) {
    if (options_.leak.hard == no_bound || now < next_look_) {
        return;
    }
    next_look_ = pool::after(now, options_.leak.period);
    for (std::uint32_t w = 0; w < links_.size(); ++w) {
        if (links_[w] != nullptr && pool_.worker_at(w).state != pool::worker_state::idle) {
            look_at_memory(*links_[w], w, now);
        }
    }
}

} // namespace coproc::detail
