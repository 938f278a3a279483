#include "driver/executor_impl.hpp"

#include "driver/check_options.hpp"
#include "driver/executor_service.hpp"
#include "driver/name_function.hpp"
#include "driver/own_loop.hpp"
#include "driver/posted_waiter.hpp"
#include "driver/progress_core.hpp"
#include "process/fork_guard.hpp"
#include "worker/nesting.hpp"

#include <asio/execution/context.hpp>
#include <asio/post.hpp>
#include <asio/query.hpp>

#include <memory>
#include <utility>

namespace coproc::detail {
namespace {

pool::limits limits_for(const executor_options& options) {
    pool::limits limits;
    limits.max_workers = *options.max_workers;
    limits.min_workers = options.min_workers;
    limits.max_queued = options.max_queued;
    limits.idle_timeout = *options.idle_timeout;
    limits.max_tasks = static_cast<std::uint32_t>(options.max_tasks_per_worker);
    limits.max_age = options.max_worker_age;
    limits.max_window = memory::slot_count;
    limits.max_failed_starts = options.max_failed_starts;
    limits.watch_idle = options.watch_idle;
    limits.start_timeout = options.start_timeout;
    limits.initializer_timeout = options.initializer_timeout;
    limits.exit_timeout = options.exit_timeout;
    if (options.core_dumps) {
        limits.crash_timeout = std::chrono::minutes(5); // a kill would end the dump, too
    }
    return limits;
}

pool::memory_limits memory_limits_for(const leak_options& options) {
    const auto bytes = [](std::size_t limit) {
        return limit == no_bound ? pool::no_memory_limit : std::uint64_t{limit};
    };
    return {.period = options.period,
            .max_growth = bytes(options.max_growth),
            .absolute = bytes(options.absolute),
            .hard = bytes(options.hard)};
}

/// As protocol.capnp has it.
std::int64_t nanoseconds(pool::duration d) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
}

} // namespace

executor_impl::executor_impl(asio::any_io_executor io, executor_options options,
                             std::shared_ptr<own_loop> loop)
    : io_(std::move(io)),
      options_(detail::complete(std::move(options))),
      loop_(std::move(loop)),
      fork_generation_(process::fork_generation()),
      memory_limits_(memory_limits_for(options_.leak)),
      depth_(worker::nesting_depth()),
      max_depth_(max_nesting_depth()),
      service_(&asio::use_service<executor_service>(asio::query(io_, asio::execution::context))),
      list_(service_->executors()),
      pool_(limits_for(options_)),
      timer_(std::in_place, io_) {
    if (options_.observer) {
        pool_.observe();
    }
    if (options_.start == start_method::forkserver) {
        zygote_.emplace(pool::zygote_plan::limits{.start = options_.start_timeout,
                                                  .preload = options_.initializer_timeout,
                                                  .preloads = !options_.preload.empty()});
    }
}

void executor_impl::enlist() { list_->add(shared_from_this()); }

executor_impl::~executor_impl() { list_->remove(*this); }

bool executor_impl::forked() const noexcept {
    return fork_generation_ != process::fork_generation();
}

// ---- submit

job_ptr executor_impl::make_job(const task_options& options, const target& what,
                                std::size_t argument_bytes) {
    job_ptr job =
        job_core::make(shared_from_this(), next_id_.fetch_add(1, std::memory_order_relaxed),
                       argument_bytes + options.name.size() + what.exported.size());
    job_core& j = *job;
    if (!options.name.empty()) {
        j.set_name(options.name);
    }
    if (!what.exported.empty()) {
        j.set_exported(what.exported);
    }
    j.function_name = what.name;
    j.function =
        what.function != nullptr ? what.function : reinterpret_cast<const void*>(what.invoke);
    return job;
}

job_ptr executor_impl::refuse(const task_options& options, const target& what, errc code,
                              std::string cause) {
    job_ptr job = make_job(options, what, 0);
    refuse(*job, code, std::move(cause));
    return job;
}

void executor_impl::refuse(job_core& job, errc code, std::string cause) {
    job.store_failure(make_failure({.code = code,
                                    .how_certain = certainty::not_started,
                                    .task_name = job.task_name(),
                                    .function = job.function,
                                    .cause = std::move(cause)}));
    job.set_done();
}

std::string executor_impl::describe_level() const {
    return "this is level " + std::to_string(depth_) + ", and COPROC_MAX_DEPTH is " +
           std::to_string(max_depth_);
}

namespace {

void set_options(job_core& j, const task_options& options, pool::time_point now) {
    j.grace = options.grace;
    j.priority = options.priority;
    j.retries = options.retries;
    j.run_timeout = options.run_timeout;
    if (options.run_timeout != no_limit) {
        j.header.run_limit_ns = nanoseconds(options.run_timeout);
    }
    if (options.timeout != no_limit) {
        j.deadline = pool::after(now, options.timeout);
        j.header.deadline_ns = nanoseconds(j.deadline.time_since_epoch());
    }
}

} // namespace

job_ptr executor_impl::submit(encoder& arguments, luggage_ptr luggage, const task_options& options,
                              const target& what, std::size_t elements) {
    if (forked()) {
        return refuse(options, what, errc::forked, {});
    }
    if (depth_ >= max_depth_) {
        return refuse(options, what, errc::nesting_too_deep, describe_level());
    }
    // Up to this size a copy is cheaper than a new block of memory for the next submit of this
    // thread.
    constexpr std::size_t copied = 32 * 1024;
    const std::size_t bytes = arguments.size();
    job_ptr job = make_job(options, what, bytes <= copied ? bytes : 0);
    job_core& j = *job;
    if (const char* const why = name_function(what, j.header)) {
        return refuse(options, what, errc::unknown_function, why);
    }
    if (elements > 0) {
        j.make_chunk(elements);
    }
    if (bytes <= copied) {
        j.set_arguments(arguments.bytes());
    } else {
        j.set_arguments(arguments.release());
    }
    j.luggage = std::move(luggage);
    if (j.luggage != nullptr) {
        j.luggage->depart(*this);
    }
    const clock::time_point now = clock::now();
    set_options(j, options, now);
    j.frame_bytes = wire::head_bytes(j.header) + static_cast<std::size_t>(wire::padded(bytes));
    if (j.frame_bytes > options_.max_message_bytes) {
        return refuse(options, what, errc::too_large,
                      "its message has " + std::to_string(j.frame_bytes) +
                          " bytes, and max_message_bytes is " +
                          std::to_string(options_.max_message_bytes));
    }
    pool::pool::admission admission;
    std::string cause;
    {
        const std::lock_guard lock(mutex_);
        zygote_is_needed(now);
        admission = pool_.submit(j, now, actions_);
        if (admission == pool::pool::admission::accepted) {
            retain(j); // for the pool
            perform();
            after_events();
            post_ready();
            return job;
        }
        cause = start_cause_;
    }
    switch (admission) {
    case pool::pool::admission::queue_full:
        return refuse(options, what, errc::queue_full,
                      options_.max_queued == 1
                          ? "1 task waits already"
                          : std::to_string(options_.max_queued) + " tasks wait already");
    case pool::pool::admission::broken:
        return refuse(options, what, errc::executor_broken, std::move(cause));
    default:
        return refuse(options, what, errc::executor_shutdown, {});
    }
}

// ---- what jobs ask for

void executor_impl::withdraw(job_core& job, withdrawal how) noexcept {
    if (job.done() || forked()) {
        return;
    }
    const std::lock_guard lock(mutex_);
    const pool::cancel_type type = how == withdrawal::terminal  ? pool::cancel_type::terminal
                                   : how == withdrawal::partial ? pool::cancel_type::partial
                                                                : pool::cancel_type::total;
    pool_.cancel(job, type, clock::now(), actions_);
    perform();
    after_events();
    post_ready();
}

void executor_impl::add_waiter(job_core& job, waiter& w) {
    w.next = nullptr;
    if (forked()) {
        asio::post(io_, [&w, shared = share(job)]() mutable { w.complete(std::move(shared)); });
        return;
    }
    const std::lock_guard lock(mutex_);
    if (!job.done()) {
        waiter** last = &job.waiters;
        while (*last != nullptr) {
            last = &(*last)->next;
        }
        *last = &w;
        return;
    }
    ready_.add(&w, share(job));
    post_ready();
}

namespace {

/// Takes a waiter out of those of the job; null: it is not one of them.
waiter* unlink(job_core& job, auto is_it) noexcept {
    for (waiter** w = &job.waiters; *w != nullptr; w = &(*w)->next) {
        if (is_it(**w)) {
            waiter* const found = *w;
            *w = found->next;
            return found;
        }
    }
    return nullptr;
}

} // namespace

void executor_impl::stop_waiting(job_core& job, std::uint64_t ticket) noexcept {
    if (forked()) {
        return;
    }
    const std::lock_guard lock(mutex_);
    if (waiter* const found =
            unlink(job, [ticket](const waiter& w) { return w.ticket == ticket; })) {
        ready_.add(found, share(job));
        post_ready();
    }
}

bool executor_impl::remove_waiter(job_core& job, const waiter& given_up) noexcept {
    if (forked()) {
        return false;
    }
    const std::lock_guard lock(mutex_);
    return unlink(job, [&](const waiter& w) { return &w == &given_up; }) != nullptr;
}

void executor_impl::complete_soon(waiter& w) {
    if (forked()) {
        asio::post(io_, posted_waiter(w));
        return;
    }
    const std::lock_guard lock(mutex_);
    ready_.add(&w, job_ptr());
    post_ready();
}

job_state executor_impl::state_of(job_core& job) noexcept {
    if (job.done()) {
        return job_state::done;
    }
    if (forked()) {
        return job_state::queued; // for ever; another thread of the parent may have held the mutex
    }
    const std::lock_guard lock(mutex_);
    if (job.state == pool::task_state::staged) {
        worker_link* const l = link(job.worker);
        if (l != nullptr && l->page->slots().fate(job.sequence) != memory::task_fate::never_began) {
            return job_state::running;
        }
    }
    return job.done() ? job_state::done : job_state::queued;
}

// ---- sizes

void executor_impl::resize(std::size_t max_workers) {
    if (forked()) {
        return;
    }
    const std::lock_guard lock(mutex_);
    pool_.resize(max_workers, clock::now(), actions_);
    perform();
    after_events();
    post_ready();
}

job_ptr executor_impl::warm_up(std::size_t workers) {
    job_ptr job =
        job_core::make(shared_from_this(), next_id_.fetch_add(1, std::memory_order_relaxed), 0);
    job_core& j = *job;
    j.function_name = "async_start";
    if (forked()) {
        refuse(j, errc::forked, {});
        return job;
    }
    if (depth_ >= max_depth_) {
        refuse(j, errc::nesting_too_deep, describe_level());
        return job;
    }
    bool broken = false;
    std::string cause;
    {
        const std::lock_guard lock(mutex_);
        const clock::time_point now = clock::now();
        zygote_is_needed(now);
        pool_.listen_again(now);
        look_at_idle();
        const pool::pool::admission admission = pool_.warm_up(j, workers, now, actions_);
        if (admission == pool::pool::admission::accepted) {
            retain(j); // for the pool
            perform();
            after_events();
            post_ready();
            return job;
        }
        broken = admission == pool::pool::admission::broken;
        cause = broken ? start_cause_ : std::string();
    }
    refuse(j, broken ? errc::executor_broken : errc::executor_shutdown, std::move(cause));
    return job;
}

// ---- time, and numbers

executor_stats executor_impl::stats() const {
    if (forked()) {
        return {};
    }
    const std::lock_guard lock(mutex_);
    const pool::counts c = pool_.look();
    return {.queued = c.queued,
            .staged = c.staged,
            .starting_workers = c.starting,
            .idle_workers = c.idle,
            .busy_workers = c.busy,
            .leaving_workers = c.leaving + c.stopping,
            .submitted = c.submitted,
            .completed = c.completed,
            .started_workers = c.started_workers,
            .crashed_workers = c.crashed_workers};
}

void executor_impl::arm_timer() {
    if (stopped_ || (!options_.watch_idle && !needs_attention())) {
        return;
    }
    clock::time_point next = std::min(pool_.next_tick(), shutdown_limit_);
    if (options_.leak.hard != no_bound && pool_.needs_attention()) {
        next = std::min(next, next_look_);
    }
    if (zygote_) {
        next = std::min(next, zygote_->plan.limit());
    }
    if (next == clock::time_point::max()) {
        disarm_timer(); // it would keep the loop
        return;
    }
    if (timer_set_ && timer_at_ <= next) {
        return; // a timer that is early does no harm
    }
    timer_set_ = true;
    timer_at_ = next;
    timer_->expires_at(next);
    timer_->async_wait(
        [self = shared_from_this(), wait = ++timer_wait_](const asio::error_code& error) {
            if (!error) {
                self->on_timer(wait);
            }
        });
}

void executor_impl::disarm_timer() {
    if (timer_set_) {
        timer_->cancel();
        timer_set_ = false;
    }
}

void executor_impl::on_timer(std::uint64_t wait) {
    {
        const std::lock_guard lock(mutex_);
        if (stopped_ || wait != timer_wait_ || !timer_set_) {
            return; // it was over already when it was given up
        }
        timer_set_ = false;
        const clock::time_point now = clock::now();
        if (shutdown_limit_ <= now) {
            shutdown_limit_ = clock::time_point::max();
            pool_.shut_down(pool::shutdown_mode::kill, now, actions_);
        }
        look_at_all(now);
        if (zygote_) {
            zygote_->plan.tick(now, zygote_->actions);
            perform_zygote();
        }
        pool_.tick(now, actions_);
        perform();
        after_events();
    }
    run_ready();
}

} // namespace coproc::detail
