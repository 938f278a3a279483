#pragma once

#include "coproc/detail/call.hpp"
#include "coproc/detail/job_core.hpp"
#include "coproc/detail/luggage.hpp"
#include "failure_record.hpp"
#include "pool/growth_ledger.hpp"
#include "pool/task.hpp"
#include "stream/chunk_results.hpp"
#include "wire/messages.hpp"
#include "wire/payload_buffer.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

// A task on its way, in one block of memory: what the pool knows of it, what is sent to the worker,
// how it ended and who waits for that.
namespace coproc::detail {

class executor_impl;

/// What is known of a chunk's elements. Those that are not settled when the job is done have its
/// failure.
struct chunk_state {
    explicit chunk_state(std::size_t elements) : results(elements) {}

    void lose(std::size_t elements, failure why) {
        losses.push_back(std::move(why));
        results.lose(elements);
    }

    streams::chunk_results results;
    std::vector<failure> losses; ///< by number
};

class alignas(encoder::max_alignment) job_core final : public pool::task {
public:
    /// A job with room for `bytes` bytes behind it. One reference is counted.
    static job_ptr make(std::shared_ptr<executor_impl> owner, std::uint64_t id, std::size_t bytes);

    // ---- constant after the submit

    /// Null once the executor is of no use any more.
    const std::shared_ptr<executor_impl>& owner() const noexcept { return owner_; }
    std::uint64_t id() const noexcept { return header.id; }
    /// The task as it is sent; its names are behind this object.
    wire::task_header header;
    /// What the failure is called after, if the task has no name: this name, else what is here.
    const char* function_name = nullptr;
    const void* function = nullptr;

    /// Tells its function from others.
    pool::function_key key() const noexcept { return {function, function_name, header.exported}; }

    /// The name in failures; empty if it must be looked up.
    std::string task_name() const;

    /// Copies names and arguments behind the object; large arguments are taken over instead.
    void set_name(std::string_view name) noexcept;
    void set_exported(std::string_view name) noexcept;
    void set_arguments(std::span<const std::byte> copied) noexcept;
    void set_arguments(payload taken);
    /// The sinks among the arguments, until the task is done; guarded by the executor's mutex
    /// then. Null: there are none.
    luggage_ptr luggage;
    std::span<const std::byte> arguments() const noexcept;
    /// If the task stands for several elements of a map: those that are settled. Written under the
    /// executor's mutex until `done` is set, then the reader's. Else null.
    chunk_state* chunk() const noexcept { return chunk_.get(); }
    void make_chunk(std::size_t elements) { chunk_ = std::make_unique<chunk_state>(elements); }
    /// A worker is about to be given the chunk. It begins with the first unsettled element.
    void begin_run() noexcept;
    /// All its elements are settled, or the rest has failed.
    void end_chunk() noexcept { large_arguments_.reset(); }
    /// Keeps large arguments alive while they are written; null: they are small, copy them.
    const std::shared_ptr<const payload>& shared_arguments() const noexcept {
        return large_arguments_;
    }

    // ---- the end; written once, under the executor's mutex, before `done` is set

    /// The worker's reply. The arguments are gone then.
    void store_value(std::span<const std::byte> copied);
    void store_value(wire::payload_buffer taken) noexcept;
    void store_failure(failure why) noexcept { failure_ = std::move(why); }
    /// Makes the end visible to every thread and wakes those in `wait`.
    void set_done() noexcept;

    bool done() const noexcept { return done_.load(std::memory_order_acquire); }
    void wait() const noexcept { done_.wait(false, std::memory_order_acquire); }
    bool has_value() const noexcept { return has_value_; }
    std::span<const std::byte> value() const noexcept;
    const failure& why() const noexcept { return failure_; }

    // ---- who waits; guarded by the executor's mutex

    waiter* waiters = nullptr;
    bool detached = false; ///< somebody observes, and wants to know if it fails

    friend void retain(job_core&) noexcept;
    friend void release(job_core&) noexcept;

private:
    job_core(std::shared_ptr<executor_impl> owner, std::uint64_t id, std::size_t bytes) noexcept
        : owner_(std::move(owner)), block_bytes_(bytes), tail_bytes_(bytes) {
        header.id = id;
    }
    ~job_core() = default;
    /// Copies a name to the end of what is behind the object.
    std::string_view keep(std::string_view name) noexcept;
    std::byte* tail() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
    const std::byte* tail() const noexcept { return reinterpret_cast<const std::byte*>(this + 1); }

    std::shared_ptr<executor_impl> owner_;
    std::atomic<std::uint32_t> references_{1};
    std::atomic<bool> done_{false};
    bool has_value_ = false;
    const std::size_t block_bytes_; // behind the object
    // Of these: the arguments, at 0, then the names; later the value, if it fits before them.
    std::size_t tail_bytes_;
    std::size_t size_ = 0; // of the arguments, then of the value
    std::shared_ptr<const payload> large_arguments_;
    std::unique_ptr<chunk_state> chunk_;
    wire::payload_buffer large_value_;
    failure failure_;
};

/// Another reference.
inline job_ptr share(job_core& job) noexcept {
    retain(job);
    return job_ptr(&job);
}

} // namespace coproc::detail
