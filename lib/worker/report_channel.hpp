#pragma once

#include "coproc/detail/sink_side.hpp"
#include "memory/shared_page.hpp"
#include "worker/connection.hpp"

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace coproc::worker {

/// What a task's argument says of a sink.
struct sink_terms {
    std::uint16_t number = 0;
    bool waits = false;
    std::uint64_t capacity = 1; ///< values that may be held back
};

/**
 * @brief What one task reports, on its way to the parent.
 *
 * Values go where the parent finds them before the task's reply (protocol.capnp, "Progress"). What
 * has no room at the moment is held back, the newest values of each sink, and sent when there is:
 * by the next report, by a thread that is made for it, or before the reply.
 *
 * @par Thread safety
 * Any thread, also after the end of the task: nothing happens then.
 */
class report_channel : public std::enable_shared_from_this<report_channel> {
public:
    report_channel(connection& out, std::shared_ptr<const memory::shared_page> page,
                   std::uint64_t sequence, std::size_t max_payload_bytes)
        : out_(out),
          page_(std::move(page)),
          sequence_(sequence),
          max_payload_bytes_(max_payload_bytes) {}
    report_channel(const report_channel&) = delete;
    report_channel& operator=(const report_channel&) = delete;
    ~report_channel() { close(); }

    detail::sink_ptr open(const sink_terms&);

    /// Some results of a chunk. False: the parent is gone.
    bool send_part(const wire::reply_header&, std::span<const std::byte> payload);

    /// The task's worker is to be replaced.
    void send_retirement(const wire::retire_request&);

    /// The task has ended: sends what is held back, then the reply. False: the parent is gone.
    bool finish(const wire::reply_header&, std::span<const std::byte> payload);

private:
    class line;
    /// A sink of the task. Elements of a chunk that have the same one share it.
    struct state {
        bool begun = false;
        std::mutex turn;           // of a sink that waits: one value at a time
        std::uint32_t sent = 0;    // likewise
        std::uint32_t skipped = 0; // since the last value that was sent
        std::size_t held = 0;
    };
    struct held_value {
        std::uint16_t sink;
        detail::payload bytes;
    };

    void report(line&, detail::sink_side::writer, const void* value);
    void send_and_wait(line&, std::span<const std::byte> bytes);
    void send_or_hold(line&, encoder& value);
    bool send(std::uint16_t sink, std::span<const std::byte> bytes, bool block);
    void hold(const line&, detail::payload bytes);
    void send_held(bool block);
    void send_held_later();
    bool wanted(const line&) const noexcept;
    bool must_wait(std::uint16_t sink, memory::acceptance now);
    void close() noexcept;

    connection& out_; // under the mutex; not touched once it is closed
    const std::shared_ptr<const memory::shared_page> page_;
    const std::uint64_t sequence_;
    const std::size_t max_payload_bytes_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::atomic<bool> closed_ = false;
    encoder spare_;
    std::array<state, memory::max_sinks> sinks_;
    std::deque<held_value> held_;
    std::thread sender_;
};

/// Where a task that is given sinks gets its channel from: made by the first of them.
struct report_source {
    connection* out;
    const std::shared_ptr<memory::shared_page>* page;
    std::uint64_t sequence;
    std::size_t max_payload_bytes;
    std::shared_ptr<report_channel> channel = {};
};

} // namespace coproc::worker
