#pragma once

#include "coproc/error.hpp"
#include "pool/task.hpp"

#include <vector>

// What the pool tells its driver to do. Values, so that a test can compare and print them.
namespace coproc::pool {

enum class action_kind : std::uint8_t {
    start_worker, ///< start a process for `worker`; answer: `ready`, `exited` or `start_failed`
    stage,        ///< offer slot `sequence` of `worker`, then write the frame of `subject`
    recall,       ///< try to take `sequence` of `worker` back; answer: `recalled`
    request_stop, ///< set the stop word of `worker` to `sequence`
    request_exit, ///< tell `worker` that no task follows
    kill,         ///< SIGKILL `worker` and its process group, or do not start it; answer: `exited`.
                  ///< Nothing, if `start_failed` was told after this was decided
    lose,     ///< of the chunk `subject`, settle what dead `worker` had begun: its end was `code`.
              ///< The rest goes on
    complete, ///< give `subject` its end: `code` and `how_certain`, or the reply if `code` is none
    warmed,   ///< tell `subject`, given to `warm_up`, that its workers are ready, or `code`
    shutdown_complete, ///< no task is unfinished and no worker is left
};

/// `complete` by a reply that the driver holds.
inline constexpr errc by_reply{};

struct action {
    action_kind kind;
    errc code = by_reply;
    coproc::certainty how_certain = coproc::certainty::not_started;
    std::uint32_t worker = 0;
    std::uint64_t sequence = 0;
    task* subject = nullptr;

    friend bool operator==(const action&, const action&) = default;
};

using actions = std::vector<action>;

} // namespace coproc::pool
