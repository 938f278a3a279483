#pragma once

#include "coproc/call.hpp"
#include "coproc/error.hpp"
#include "driver/captured_output.hpp"
#include "driver/dead_worker.hpp"
#include "driver/known_extents.hpp"
#include "driver/lent_arrays.hpp"
#include "memory/shared_page.hpp"
#include "pool/memory_watch.hpp"
#include "process/child.hpp"
#include "wire/frame_reader.hpp"
#include "wire/frame_writer.hpp"

#include <asio/local/stream_protocol.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coproc::detail {

class job_core;

/// What was made for one worker: its end of the socket, its page, its process.
struct launched_worker {
    process::unique_fd socket;
    std::shared_ptr<memory::shared_page> page;
    std::optional<process::child> child; ///< none: a thread of this process
    std::uint64_t nonce = 0;
    process::unique_fd output = {}; ///< our end of its stdout, if that is captured
    process::unique_fd error = {};  ///< of its stderr
    std::optional<std::uint64_t> oom_kills_before = {}; ///< as counted before it was started
    std::string file = {}; ///< what it executes, if that is not this program's own
};

/// The parent's end of one worker: descriptors and buffers, no decisions. Guarded by the executor's
/// mutex.
class worker_link {
public:
    /// Takes over socket, page and process; if it throws, they are still the caller's.
    worker_link(const asio::any_io_executor& io, launched_worker& made, std::uint32_t slot,
                std::uint64_t max_message_bytes);
    ~worker_link();

    /// Offers the slot, then appends the frame. Throws std::bad_alloc: the worker is of no use
    /// then.
    void stage(job_core& job, std::uint64_t sequence);
    /// Appends the frame of an initializer. Null, or why it cannot be called.
    const char* initialize(const call& what, std::uint64_t number);
    /// Tells the worker of the extents that are closed. False: it knows of none, or there was no
    /// memory to tell it of any. It is told the next time of those that there was no memory for.
    bool forget_extents() noexcept;
    enum class written {
        all,
        no_room,              ///< the rest has to wait until the socket is writable
        too_many_descriptors, ///< of this user's are on their way; the socket may be writable
    };
    /// Writes what the socket takes now.
    written write() noexcept;

    /// The worker's death, as far as it is known now; made at the first call.
    const std::shared_ptr<dead_worker>& fate();
    void learn_exit(const process::exit_status& status);
    /// Whether its fatal-signal handler has begun, seen for the first time.
    bool newly_crashed();

    /// Whether SIGKILL ended it, and nobody here had sent that. After learn_exit().
    [[nodiscard]] bool killed_by_stranger();
    /// What it wrote until now is in its tails.
    void take_output() noexcept;

    /// "worker 123", or another `kind`, and the file that it executed, if that is another one.
    [[nodiscard]] std::string name(const char* kind = "worker") const;

    /// ": why it cannot serve", as it said itself, or "; it wrote ..."; or nothing.
    [[nodiscard]] std::string last_said() const;

    /// Whether it was asked to clean up and has not answered.
    bool is_cleaning() const noexcept {
        return memory && memory->now() == pool::memory_watch::state::cleaning;
    }

    /// Kills the process with its group, or lets the thread end after its task.
    void kill() noexcept;

    asio::local::stream_protocol::socket socket;
    asio::posix::stream_descriptor death; ///< the child's pidfd, borrowed; not open for a thread
    std::optional<process::child> child;
    std::optional<captured_output> output;
    std::optional<std::uint64_t> oom_kills_before; ///< when it was started
    std::optional<pool::memory_watch> memory;      ///< none: nobody looks at its memory
    std::shared_ptr<memory::shared_page> page;
    memory::reply_ring_reader ring;
    wire::frame_reader reader;
    wire::frame_writer writer;
    lent_arrays lent;
    std::uint64_t nonce;
    std::uint32_t slot;
    const std::string file; ///< what it executes, if that is not this program's own
    bool same_build = true; ///< its executable is ours; known from its hello

    bool reading = false;     ///< an async_read_some is on its way
    bool watching = false;    ///< an async_wait for the pidfd is on its way
    bool awaits_room = false; ///< an async_wait until it can be written to is on its way
    bool bell_armed = false;
    bool look_posted = false; ///< the loop will look into the ring in its next turn
    bool dirty = false;       ///< is in the list of links to be flushed
    bool mute = false;        ///< nothing can be written to it any more
    bool ended = false;       ///< end of stream: nothing more can be read
    bool distrusted = false;  ///< it broke the protocol: nothing that it says counts
    bool too_much = false;    ///< and there was no memory for what it sent
    bool crash_seen = false;
    bool shot = false;            ///< it got SIGKILL from us, and not because it had ended
    bool reaped = false;          ///< the process is; what it wrote may not have been taken yet
    bool gone = false;            ///< the pool has been told that it exited
    bool greeted = false;         ///< it has said hello
    std::size_t initializers = 0; ///< that it has not answered
    std::size_t replies = 0;      ///< since the pool was last told
    bool reported = false;        ///< progress, since the ring was last looked at
    bool retires = false;         ///< a task has asked that it be replaced
    std::size_t unwritten = 0;    ///< tasks in the writer
    std::size_t stray_parts = 0;  ///< of chunks that were given up, since the last reply
    /// Of a dead one: how far it was in a chunk. Read once, since a process that it has started may
    /// still write to its page.
    std::uint64_t last_step = 0;

    std::string end_cause;  ///< why it was killed, if that was our doing
    std::string last_words; ///< from its log frames

private:
    void introduce_modules(const wire::task_header&);
    void introduce(std::uint32_t module);
    void introduce(const borrowed_arrays&);

    std::vector<bool> introduced_; ///< modules, by number
    known_extents extents_;
    std::shared_ptr<dead_worker> fate_;
};

} // namespace coproc::detail
