#pragma once

#include "driver/fork_parts.hpp"
#include "driver/worker_link.hpp"
#include "pool/zygote_plan.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace coproc::detail {

/// The process that forks an executor's workers, and what it has been or will be asked for. It is
/// none of them: the pool knows nothing of it. Guarded by the executor's mutex.
struct zygote_link {
    explicit zygote_link(pool::zygote_plan::limits given) : plan(given) {}

    pool::zygote_plan plan;
    pool::zygote_actions actions;               ///< to be performed
    std::shared_ptr<worker_link> link;          ///< null: there is no process
    std::map<std::uint32_t, fork_parts> orders; ///< by worker: not answered
    bool greeted = false;                       ///< the process has said hello
    bool over = false;                          ///< the executor has ended, and needs none
    errc loss_code = errc::spawn_failed;        ///< why the last one was lost
    std::string loss_cause = {};
};

} // namespace coproc::detail
