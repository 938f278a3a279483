#pragma once

#include "coproc/error.hpp"
#include "coproc/queue_reason.hpp"
#include "coproc/retire_reason.hpp"
#include "pool/task.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

// What has happened in the pool, for those who watch: recorded beside the actions, in the order in
// which it was decided, and only if somebody asked for it.
namespace coproc::pool {

enum class event_kind : std::uint8_t {
    worker_started, ///< there is a process
    start_failed,   ///< there is none: `code`
    worker_ready,   ///< it takes tasks: its hello was accepted and its initializers are done
    worker_retired, ///< it shall go: `retired`
    worker_crashed, ///< it ends, or has ended, without having been told to
    worker_ended,   ///< the process is reaped. `ready`: it had been; `killed`: we did that
    resized,        ///< from `size_before` to `size`
    queued,         ///< `subject` waits for a worker: `queued`
    staged,         ///< `subject` was given to the worker, which may have others to run first
    done,           ///< `subject` has its end, `code` and `how_certain`, or the reply; once
};

struct event {
    event_kind kind;
    errc code{};
    coproc::certainty how_certain = coproc::certainty::not_started;
    retire_reason retired = retire_reason::none;
    queue_reason queued = queue_reason::submitted;
    bool ready = false;
    bool killed = false;
    std::uint32_t worker = 0;
    std::uint32_t slot = 0;
    std::uint64_t number = 0; ///< of the worker, among all of this pool; 0: there is none
    task* subject = nullptr;
    std::size_t size_before = 0;
    std::size_t size = 0;

    friend bool operator==(const event&, const event&) = default;
};

using events = std::vector<event>;

} // namespace coproc::pool
