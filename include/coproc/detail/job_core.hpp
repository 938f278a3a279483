#pragma once

#include <coproc/detail/config.hpp>
#include <coproc/failure.hpp>

#include <asio/any_io_executor.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

// What a job is behind its type: the task, its end, and who waits for it. The rest is private to
// lib/driver.
namespace coproc {

/// Where a task is.
enum class job_state : std::uint8_t {
    queued,  ///< no worker has begun it
    running, ///< a worker has begun it
    done,    ///< its result is there
};

} // namespace coproc

namespace coproc::detail {

class job_core;
COPROC_API void retain(job_core&) noexcept;
COPROC_API void release(job_core&) noexcept;

/// Shares a job_core.
class job_ptr {
public:
    job_ptr() noexcept = default;
    /// Takes over a reference that somebody counted already.
    explicit job_ptr(job_core* adopted) noexcept : core_(adopted) {}
    job_ptr(const job_ptr& other) noexcept : core_(other.core_) {
        if (core_ != nullptr) {
            retain(*core_);
        }
    }
    job_ptr(job_ptr&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
    job_ptr& operator=(job_ptr other) noexcept {
        std::swap(core_, other.core_);
        return *this;
    }
    ~job_ptr() {
        if (core_ != nullptr) {
            release(*core_);
        }
    }

    explicit operator bool() const noexcept { return core_ != nullptr; }
    job_core& operator*() const noexcept { return *core_; }
    job_core* get() const noexcept { return core_; }
    job_core* leave() noexcept { return std::exchange(core_, nullptr); }

private:
    job_core* core_ = nullptr;
};

/// A handler that waits for a job, made where its type is known and kept without it.
class waiter {
public:
    waiter() = default;
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;

    /// Calls the handler, once, on its associated executor, and ends this object. The caller is a
    /// completion handler on the job's I/O executor and holds no lock.
    virtual void complete(job_ptr job) = 0;
    /// Ends this object and its handler without a call.
    virtual void abandon() noexcept = 0;
    /// Whether it is the library's own: then it is completed also where users' handlers are not
    /// called any more (driver/deliver.hpp).
    virtual bool is_internal() const noexcept { return false; }

    waiter* next = nullptr;
    std::uint64_t ticket = 0; ///< its name for stop_waiting, since addresses are used again

protected:
    ~waiter() = default;
};

/// How a job ended. Only for jobs that are done.
struct job_end {
    bool has_value;
    std::span<const std::byte> payload = {};
};

/// Bytes of a value, as a part of what a worker sent.
struct value_place {
    std::span<const std::byte> message;
    std::size_t begin;
    std::size_t end;
};

enum class withdrawal : std::uint8_t { total, partial, terminal };

COPROC_API bool is_done(const job_core&) noexcept;
/// Of a job that is done, or is its parent's in a forked child: errc::forked.
COPROC_API job_end end_of(const job_core&) noexcept;
COPROC_API failure failure_of(const job_core&);
/// Whether the job is one of several elements of a map, which have results of their own.
COPROC_API bool is_chunk(const job_core&) noexcept;
/// The value of an element, or nothing. Only for chunks that are done; asked for in order.
COPROC_API std::optional<value_place> value_of_element(const job_core&, std::size_t offset);
/// Why it has none.
COPROC_API failure failure_of_element(const job_core&, std::size_t offset);
/// The result's bytes were no value of the type.
COPROC_API failure undecodable(const job_core&, const char* what);
/// There was no memory here to decode it.
COPROC_API failure no_memory_for_result(const job_core&) noexcept;
COPROC_API job_state state_of(const job_core&) noexcept;
COPROC_API std::uint64_t id_of(const job_core&) noexcept;
COPROC_API const asio::any_io_executor& io_executor_of(const job_core&) noexcept;
/// The waiter is completed when the job is done, from the loop, never from inside this call.
COPROC_API void add_waiter(job_core&, waiter&);
/// One that no other waiter has.
COPROC_API std::uint64_t new_ticket() noexcept;
/// The waiter with this ticket is completed now, from the loop, if it still waits.
COPROC_API void stop_waiting(job_core&, std::uint64_t ticket) noexcept;
COPROC_API void withdraw(job_core&, withdrawal) noexcept;
/// Nobody waits for the job any more: its failure is for the executor's observer.
COPROC_API void detach(job_ptr);
/// False: on this thread nothing would ever complete the job.
COPROC_API bool block_until_done(job_core&);
COPROC_API failure would_deadlock(const job_core&);

} // namespace coproc::detail
