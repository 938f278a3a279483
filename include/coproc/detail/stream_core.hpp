#pragma once

#include <coproc/detail/call.hpp>
#include <coproc/detail/config.hpp>
#include <coproc/detail/job_core.hpp>
#include <coproc/failure.hpp>
#include <coproc/options.hpp>

#include <asio/any_io_executor.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// What a stream is behind its type: the tasks on their way and who waits for them. The rest is
// private to lib/driver.
namespace coproc::detail {

class executor_impl;

/// The next task of a stream, and for how many elements it stands. No job: there is none.
struct pulled {
    job_ptr job = {};
    std::size_t elements = 1;
};

/// Where the tasks of a stream come from.
class task_source {
public:
    task_source(std::shared_ptr<executor_impl> executor, const task_options& given)
        : executor_(std::move(executor)), name_(given.name), options_(given) {
        options_.name = name_;
    }
    task_source(const task_source&) = delete;
    task_source& operator=(const task_source&) = delete;
    virtual ~task_source() = default;

    /// Submits the next task; none: the range has ended. Called where the reader of
    /// the stream is. Throws what the range throws; it is not called again after that, nor after
    /// the end.
    virtual pulled pull() = 0;

    const std::shared_ptr<executor_impl>& executor() const noexcept { return executor_; }
    const task_options& options() const noexcept { return options_; }

private:
    const std::shared_ptr<executor_impl> executor_;
    const std::string name_;
    task_options options_;
};

class stream_core;
using stream_ptr = std::shared_ptr<stream_core>;

/// One element, whose task is done. No job: there is none, or none yet.
struct taken {
    std::size_t index = 0;
    job_ptr job = {};
    std::size_t offset = 0; ///< of the element in its task
};

/// Throws std::invalid_argument, naming the field.
COPROC_API void check_options(const map_options&);
COPROC_API stream_ptr make_stream(std::unique_ptr<task_source>, const map_options&);
/// Jobs that are there already, as they are completed.
COPROC_API stream_ptr make_stream(std::vector<job_ptr> jobs);
COPROC_API const asio::any_io_executor& io_executor_of(const stream_core&) noexcept;

/// Submits tasks up to the limit. If the range throws, the stream ends and the exception passes.
COPROC_API void fill(stream_core&);
/// The next element, if it is there.
COPROC_API taken take(stream_core&);
/// From now on the elements come as they are completed.
COPROC_API void take_in_any_order(stream_core&);
/// No element is left, and none will come.
COPROC_API bool has_ended(const stream_core&) noexcept;
/// Whether it was cancelled before the range had ended.
COPROC_API bool was_cut(const stream_core&) noexcept;
/// The waiter is completed from the loop, never from inside: when there is an element, or when the
/// stream has ended. One at a time.
COPROC_API void wait_for_element(stream_core&, waiter&);
/// The waiter is completed from the loop, as soon as possible.
COPROC_API void complete_soon(stream_core&, waiter&);
/// The waiter is completed now, from the loop, if it still waits. It is only compared.
COPROC_API void stop_waiting(stream_core&, const waiter*) noexcept;
/// Blocks until wait_for_element would complete. False: on this thread it never would.
COPROC_API bool block_until_element(stream_core&);
/// The range ends here, and the tasks on their way are withdrawn. Their elements still come.
COPROC_API void cancel(stream_core&, withdrawal) noexcept;
/// The stream ends here; nobody is interested in what is on its way.
COPROC_API void close(stream_core&, withdrawal) noexcept;

COPROC_API failure range_threw(std::exception_ptr thrown);
COPROC_API failure cut_short();
/// There was no memory here to take or to keep the elements.
COPROC_API failure no_memory_for_results() noexcept;
COPROC_API failure would_deadlock();

/// A stream that nobody else will read: closed when it is dropped.
class stream_handle {
public:
    explicit stream_handle(stream_ptr core) noexcept : core_(std::move(core)) {}
    stream_handle(stream_handle&& other) noexcept : core_(std::move(other.core_)) {}
    stream_handle& operator=(stream_handle&& other) noexcept {
        if (this != &other) {
            drop();
            core_ = std::move(other.core_);
        }
        return *this;
    }
    ~stream_handle() { drop(); }

    const stream_ptr& shared() const noexcept { return core_; }
    stream_core& core() const noexcept { return *core_; }

private:
    void drop() noexcept {
        if (core_) {
            close(*core_, withdrawal::total);
            core_.reset();
        }
    }

    stream_ptr core_;
};

} // namespace coproc::detail
