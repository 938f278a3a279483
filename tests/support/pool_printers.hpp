#pragma once

#include "pool/pool.hpp"

#include <ostream>

// Actions and states of the pool in words, so that a failed comparison can be read. Tests give
// tasks names only by their addresses, so a task prints as its place among those a test knows.
namespace coproc {

inline std::ostream& operator<<(std::ostream& os, certainty c) {
    switch (c) {
    case certainty::not_started:
        return os << "not_started";
    case certainty::may_have_run:
        return os << "may_have_run";
    case certainty::ran:
        return os << "ran";
    }
    return os << "certainty?";
}

} // namespace coproc

namespace coproc::pool {

inline std::ostream& operator<<(std::ostream& os, action_kind kind) {
    switch (kind) {
    case action_kind::start_worker:
        return os << "start_worker";
    case action_kind::stage:
        return os << "stage";
    case action_kind::recall:
        return os << "recall";
    case action_kind::request_stop:
        return os << "request_stop";
    case action_kind::request_exit:
        return os << "request_exit";
    case action_kind::kill:
        return os << "kill";
    case action_kind::lose:
        return os << "lose";
    case action_kind::complete:
        return os << "complete";
    case action_kind::warmed:
        return os << "warmed";
    case action_kind::shutdown_complete:
        return os << "shutdown_complete";
    }
    return os << "action?";
}

inline std::ostream& operator<<(std::ostream& os, const action& a) {
    os << a.kind << "{worker " << a.worker << ", sequence " << a.sequence;
    if (a.subject != nullptr) {
        os << ", task " << a.subject;
    }
    if (a.kind == action_kind::complete || a.kind == action_kind::warmed) {
        if (a.code == by_reply) {
            os << ", by reply";
        } else {
            os << ", " << make_error_code(a.code).message();
        }
        os << ", " << a.how_certain;
    }
    return os << '}';
}

inline std::ostream& operator<<(std::ostream& os, task_state state) {
    static constexpr const char* names[] = {"created", "queued", "staged", "warming", "done"};
    return os << names[static_cast<int>(state)];
}

inline std::ostream& operator<<(std::ostream& os, worker_state state) {
    static constexpr const char* names[] = {"exited", "starting", "idle", "busy", "stopping"};
    return os << names[static_cast<int>(state)];
}

inline std::ostream& operator<<(std::ostream& os, slot_state state) {
    static constexpr const char* names[] = {"recalled", "offered", "begun", "finished",
                                            "begun_in_part"};
    return os << names[static_cast<int>(state)];
}

inline std::ostream& operator<<(std::ostream& os, shutdown_mode mode) {
    static constexpr const char* names[] = {"none", "drain", "cancel_queued", "kill", "stop"};
    return os << names[static_cast<int>(mode)];
}

inline std::ostream& operator<<(std::ostream& os, event_kind kind) {
    static constexpr const char* names[] = {
        "worker_started", "start_failed", "worker_ready", "worker_retired", "worker_crashed",
        "worker_ended",   "resized",      "queued",       "staged",         "done"};
    return os << names[static_cast<int>(kind)];
}

inline std::ostream& operator<<(std::ostream& os, const event& e) {
    os << e.kind << "{worker " << e.worker << ", number " << e.number << ", slot " << e.slot;
    if (e.subject != nullptr) {
        os << ", task " << e.subject;
    }
    return os << ", code " << static_cast<int>(e.code) << ", " << e.how_certain << ", retired "
              << static_cast<int>(e.retired) << ", queued " << static_cast<int>(e.queued)
              << ", ready " << e.ready << ", killed " << e.killed << ", sizes " << e.size_before
              << ' ' << e.size << '}';
}

inline std::ostream& operator<<(std::ostream& os, const forced& f) {
    return os << "{cancelled " << f.cancelled << ", lost " << f.lost << ", killed workers "
              << f.killed_workers << '}';
}

inline std::ostream& operator<<(std::ostream& os, pool::admission a) {
    static constexpr const char* names[] = {"accepted", "queue_full", "broken", "shut_down"};
    return os << names[static_cast<int>(a)];
}

inline std::ostream& operator<<(std::ostream& os, const counts& c) {
    return os << "{queued " << c.queued << ", staged " << c.staged << ", starting " << c.starting
              << ", idle " << c.idle << ", busy " << c.busy << ", leaving " << c.leaving
              << ", stopping " << c.stopping << ", submitted " << c.submitted << ", completed "
              << c.completed << ", started " << c.started_workers << ", crashed "
              << c.crashed_workers << '}';
}

} // namespace coproc::pool
