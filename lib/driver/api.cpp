#include "driver/check_options.hpp"
#include "driver/executor_impl.hpp"
#include "driver/executor_service.hpp"
#include "driver/own_loop.hpp"

#include <coproc/executor.hpp>

#include <atomic>
#include <cstring>
#include <new>
#include <stdexcept>

// What the public headers call.
namespace coproc::detail {
namespace {

// At the end of a thread, main's included, what is thread-local is gone before other destructors
// run, and those may submit tasks, too.
thread_local constinit bool memory_is_gone = false;

/// The memory into which this thread encodes arguments. A codec may submit tasks of its own: those
/// get memory of their own.
struct encoding_memory {
    ~encoding_memory() { memory_is_gone = true; }

    encoder arguments;
    bool in_use = false;
};
thread_local encoding_memory this_threads_memory;

executor_impl& owner_of(const job_core& job) noexcept { return *job.owner(); }

/// What a worker said of an element that has no value.
failure_record record_of(const job_core& job, const streams::settled_element& element) {
    const auto said = element.part.subspan(element.begin, element.end - element.begin);
    failure_record record{.how_certain = certainty::ran,
                          .task_name = job.task_name(),
                          .function = job.function,
                          .earlier_deaths = job.deaths};
    switch (element.outcome) {
    case element_outcome::threw:
        record.code = errc::task_threw;
        record.thrown = thrown_there{{said.begin(), said.end()}, element.worker};
        return record;
    case element_outcome::not_begun:
        record.code = errc::cancelled;
        record.how_certain = pool::after_deaths(certainty::not_started, job.deaths);
        return record;
    case element_outcome::decode_failed:
        record.code = errc::decode_failed;
        record.how_certain = pool::after_deaths(certainty::not_started, job.deaths);
        break;
    case element_outcome::too_large:
        record.code = errc::too_large;
        break;
    case element_outcome::value:
    case element_outcome::encode_failed:
        record.code = errc::encode_failed;
        break;
    }
    record.cause.assign(reinterpret_cast<const char*>(said.data()), said.size());
    return record;
}

} // namespace

// ---- submitting

submission::submission(executor_impl& executor) : executor_(executor) {
    if (memory_is_gone || this_threads_memory.in_use) {
        arguments_ = new encoder;
    } else {
        this_threads_memory.in_use = true;
        arguments_ = &this_threads_memory.arguments;
    }
    arguments_->clear(executor.options().max_message_bytes);
    luggage_access::set(*arguments_, &luggage_);
}

submission::~submission() {
    constexpr std::size_t kept = 64 * 1024;
    luggage_access::set(*arguments_, nullptr);
    if (arguments_ == &this_threads_memory.arguments) {
        if (arguments_->size() > kept) { // they were refused
            *arguments_ = encoder();
        }
        this_threads_memory.in_use = false;
    } else {
        delete arguments_;
    }
}

job_ptr submission::commit(const task_options& options, const target& what) {
    return executor_.submit(*arguments_, std::move(luggage_), options, what, 0);
}

job_ptr submission::refuse(const task_options& options, const target& what) {
    try {
        throw;
    } catch (const encode_error& error) {
        return executor_.refuse(
            options, what, error.too_large() ? errc::too_large : errc::encode_failed, error.what());
    } catch (const std::exception& error) {
        return executor_.refuse(options, what, errc::encode_failed, error.what());
    } catch (...) {
        return executor_.refuse(options, what, errc::encode_failed,
                                "a codec threw something that is no std::exception");
    }
}

std::size_t max_chunk_bytes(const executor_impl& executor) noexcept {
    return executor.options().max_message_bytes - wire::max_head_bytes;
}

job_ptr submit_chunk(executor_impl& executor, encoder& message, luggage_ptr luggage,
                     const task_options& options, const target& what, std::size_t elements) {
    return executor.submit(message, std::move(luggage), options, what, elements);
}

// ---- jobs

bool is_done(const job_core& job) noexcept { return job.done(); }

job_end end_of(const job_core& job) noexcept {
    return job.done() ? job_end{job.has_value(), job.value()} : job_end{.has_value = false};
}

failure failure_of(const job_core& job) {
    if (!job.done()) { // nothing will come of it here
        return make_failure({.code = errc::forked,
                             .how_certain = certainty::may_have_run,
                             .task_name = job.task_name(),
                             .function = job.function});
    }
    return job.why();
}

failure undecodable(const job_core& job, const char* what) {
    return make_failure({.code = errc::decode_failed,
                         .how_certain = certainty::ran,
                         .task_name = job.task_name(),
                         .function = job.function,
                         .cause = std::string("its result: ") + what});
}

failure no_memory_for_result(const job_core& job) noexcept {
    failure_record record{
        .code = errc::out_of_memory, .how_certain = certainty::ran, .function = job.function};
    try {
        record.task_name = job.task_name();
    } catch (const std::bad_alloc&) {
        // The function has a name, too.
    }
    return make_failure(std::move(record));
}

// ---- elements of a chunk

bool is_chunk(const job_core& job) noexcept { return job.chunk() != nullptr; }

std::optional<value_place> value_of_element(const job_core& job, std::size_t offset) {
    const auto element = job.chunk()->results.at(offset);
    if (!element || element->loss || element->outcome != element_outcome::value) {
        return std::nullopt;
    }
    return value_place{element->part, element->begin, element->end};
}

failure failure_of_element(const job_core& job, std::size_t offset) {
    const auto element = job.chunk()->results.at(offset);
    if (!element) {
        return job.why();
    }
    if (element->loss) {
        return job.chunk()->losses[*element->loss];
    }
    return make_failure(record_of(job, *element));
}

failure would_deadlock(const job_core& job) {
    return make_failure({.code = errc::would_deadlock,
                         .how_certain = certainty::may_have_run,
                         .task_name = job.task_name(),
                         .function = job.function});
}

job_state state_of(const job_core& job) noexcept {
    return owner_of(job).state_of(const_cast<job_core&>(job));
}

std::uint64_t id_of(const job_core& job) noexcept { return job.id(); }

const asio::any_io_executor& io_executor_of(const job_core& job) noexcept {
    return owner_of(job).io_executor();
}

void add_waiter(job_core& job, waiter& w) { owner_of(job).add_waiter(job, w); }

std::uint64_t new_ticket() noexcept {
    static constinit std::atomic<std::uint64_t> last = 0;
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void stop_waiting(job_core& job, std::uint64_t ticket) noexcept {
    owner_of(job).stop_waiting(job, ticket);
}

void withdraw(job_core& job, withdrawal how) noexcept { owner_of(job).withdraw(job, how); }

void detach(job_ptr job) { // NOLINT(performance-unnecessary-value-param): it ends here
    owner_of(*job).detach(*job);
}

bool block_until_done(job_core& job) {
    if (owner_of(job).forked()) {
        return true;
    }
    if (!job.done() && runs_on_this_thread(owner_of(job).io_executor())) {
        return false;
    }
    job.wait();
    return true;
}

// ---- executors

std::shared_ptr<executor_impl> make_on_own_loop(const std::shared_ptr<own_loop>& loop,
                                                executor_options options) {
    try {
        check_for_own_thread(options);
        auto io = loop->executor();
        options.watch_idle = true;
        auto made = std::make_shared<executor_impl>(std::move(io), std::move(options), loop);
        made->enlist();
        return made;
    } catch (...) {
        loop->finish();
        throw;
    }
}

void stop(executor_impl& executor) noexcept { executor.stop(); }

void end(executor_impl& executor) noexcept { executor.end(); }

const asio::any_io_executor& io_executor_of(const executor_impl& executor) noexcept {
    return executor.io_executor();
}

void resize(executor_impl& executor, std::size_t max_workers) {
    check_size(max_workers);
    executor.resize(max_workers);
}

job_ptr warm_up(executor_impl& executor, std::size_t workers) { return executor.warm_up(workers); }

executor_stats stats_of(const executor_impl& executor) { return executor.stats(); }

job_ptr begin_shutdown(executor_impl& executor, const shutdown_options& options) {
    return executor.begin_shutdown(options);
}

shutdown_report report_of(const job_core& shutdown) noexcept {
    shutdown_report report;
    std::memcpy(&report, shutdown.value().data(), sizeof report);
    return report;
}

shutdown_report shutdown_and_wait(executor_impl& executor, const shutdown_options& options) {
    if (executor.loop() == nullptr || executor.loop()->on_this_thread()) {
        throw std::logic_error(
            "coproc: executor::shutdown would block the loop; use async_shutdown");
    }
    check_options(options);
    const job_ptr shutdown = executor.begin_shutdown(options);
    (*shutdown).wait();
    return report_of(*shutdown);
}

} // namespace coproc::detail

namespace coproc {
namespace {

std::shared_ptr<detail::executor_impl> make_on_loop(asio::any_io_executor io,
                                                    executor_options options) {
    if (!io) {
        throw std::invalid_argument("coproc: the I/O executor is empty");
    }
    auto made = std::make_shared<detail::executor_impl>(std::move(io), std::move(options), nullptr);
    made->enlist();
    return made;
}

} // namespace

executor::executor(asio::any_io_executor io, executor_options options)
    : impl_(make_on_loop(std::move(io), std::move(options))) {}

executor::executor(asio::any_io_executor io) : executor(std::move(io), executor_options()) {}

executor::executor(own_thread_t, executor_options options)
    : impl_(detail::make_on_own_loop(detail::own_loop::make(), std::move(options))) {}

executor::executor(own_thread_t tag) : executor(tag, executor_options()) {}

} // namespace coproc
