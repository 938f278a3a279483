#pragma once

#include "memory/acceptances.hpp"
#include "memory/claims.hpp"
#include "memory/crash_record.hpp"
#include "memory/memory_file.hpp"
#include "memory/reply_ring.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

// The memory that a parent shares with one worker. The worker can write to all of it, so the parent
// reads each word once and believes only what it can check.
namespace coproc::memory {

inline constexpr std::size_t ring_bytes = 256 * 1024;

/// What the parent tells a worker before it starts it.
struct worker_settings {
    std::uint64_t max_message_bytes;
    std::uint32_t core_dumps; ///< not zero: crashes may write them
    std::uint32_t depth;      ///< how many executors' tasks its own ones are in; at least 1
};

/// What lies where. All of it is zero in the beginning but the version. An idle worker touches the
/// first page and what it writes of the crash record.
struct page_layout {
    static constexpr std::uint32_t current_version = 3;

    std::uint32_t version;
    std::uint32_t bytes; ///< sizeof(page_layout): tells builds with another layout
    worker_settings settings;
    /// The sequence number of the task that shall stop, plus one. The parent writes it.
    alignas(64) std::atomic<std::uint64_t> stop;
    /// How far the worker is in a chunk (chunk_step.hpp). The worker writes it.
    alignas(64) std::atomic<std::uint64_t> chunk_step;
    ring_words ring;
    alignas(64) acceptance_word acceptances[max_sinks];
    alignas(64) slot slots[slot_count];
    alignas(64) crash_record crash;
    alignas(4096) std::byte ring_memory[ring_bytes];
};

/**
 * @brief The mapping of a shared page, and in the parent the memfd behind it.
 *
 * The parent makes it before it starts the worker, and seals its size: a worker cannot shrink it
 * under the parent's feet, nor close the door with seals of its own. The worker attaches to the
 * descriptor it inherits.
 *
 * @par Thread safety
 * Distinct objects: safe. Shared objects: unsafe, but for what is atomic in the layout.
 */
class shared_page {
public:
    /// Parent: a new page of zeros. Fails with EFBIG, and without SIGXFSZ, where RLIMIT_FSIZE
    /// forbids it.
    [[nodiscard]] static std::variant<page_error, shared_page> create() noexcept;

    /// Worker: maps the page behind a descriptor, which stays the caller's and may be closed
    /// afterwards. Fails with EPROTO where it is no page of this version with a sealed size.
    [[nodiscard]] static std::variant<page_error, shared_page> attach(int descriptor) noexcept;

    shared_page(shared_page&& other) noexcept;
    shared_page& operator=(shared_page&& other) noexcept;
    ~shared_page();

    page_layout& layout() const noexcept { return *layout_; }

    /// Close-on-exec; -1 in a worker and after close_descriptor().
    int descriptor() const noexcept { return descriptor_; }

    /// The worker has its copy: the mapping is enough.
    void close_descriptor() noexcept;

    claims slots() const noexcept { return claims(layout_->slots); }
    std::span<std::byte> ring_memory() const noexcept { return layout_->ring_memory; }

    memory::acceptances acceptances() const noexcept {
        return memory::acceptances(layout_->acceptances);
    }
    /// Sleeps while the word still says what was seen, until it is changed or the time is over.
    void wait_for_acceptance(std::size_t sink, acceptance seen,
                             std::chrono::milliseconds at_most) const noexcept;
    /// After a change.
    void wake_acceptance_waiters(std::size_t sink) const noexcept;

    /// Asks a running task to stop, and wakes who waits for it.
    void request_stop(std::uint64_t sequence) const noexcept;
    bool stop_requested(std::uint64_t sequence) const noexcept {
        return layout_->stop.load(std::memory_order_acquire) == sequence + 1;
    }
    /// The stop word as it is now.
    std::uint64_t stop_word() const noexcept {
        return layout_->stop.load(std::memory_order_acquire);
    }
    /// Sleeps while the stop word is still `seen`, until somebody wakes the waiters or the time is
    /// over.
    void wait_for_stop(std::uint64_t seen, std::chrono::milliseconds at_most) const noexcept;
    void wake_stop_waiters() const noexcept;

private:
    shared_page(page_layout* layout, int descriptor) noexcept
        : layout_(layout), descriptor_(descriptor) {}

    void release() noexcept;

    page_layout* layout_;
    int descriptor_;
};

} // namespace coproc::memory
