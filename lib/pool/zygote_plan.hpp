#pragma once

#include "pool/task.hpp"

#include <cstdint>
#include <vector>

// When the process that forks an executor's workers is started, what it is asked for, and whose
// start has failed when it is lost.
namespace coproc::pool {

enum class zygote_state : std::uint8_t {
    none,       ///< there is no process; the next worker that is wanted has one started
    asked,      ///< a process was asked for
    starting,   ///< it has not said hello yet
    preloading, ///< it runs what its workers shall share
    ready,      ///< it forks workers
    ending,     ///< it was killed, and is not known to be dead
};

enum class zygote_action_kind : std::uint8_t {
    start,     ///< start a process; answered by `started` or `lost`
    preload,   ///< send it what it shall run; answered by `preloaded`
    request,   ///< have this worker forked; answered by `answered`
    kill,      ///< answered by `lost`
    give_back, ///< this worker was not started, and nothing is to blame for it
    fail,      ///< this worker's start has failed
};

struct zygote_action {
    zygote_action_kind kind = zygote_action_kind::start;
    std::uint32_t worker = 0;

    friend bool operator==(const zygote_action&, const zygote_action&) = default;
};

using zygote_actions = std::vector<zygote_action>;

/// One zygote after the other, never two. Events in, actions out; time is an argument. Not
/// thread-safe.
class zygote_plan {
public:
    struct limits {
        duration start = std::chrono::seconds(30); ///< until its hello; and for each fork
        duration preload =
            std::chrono::minutes(5); ///< for all that it shall run before it is ready
        bool preloads = false;       ///< whether there is something to run
    };

    explicit zygote_plan(limits given) : limits_(given) {}

    /// A worker is to be started.
    void want(std::uint32_t worker, time_point now, zygote_actions& out);
    /// It is not wanted any more. False: it was requested, and `answered` or an action will still
    /// tell of it; or it is not known.
    [[nodiscard]] bool forget(std::uint32_t worker);

    /// There is a process.
    void started(time_point now);
    /// Its hello was accepted.
    void greeted(time_point now, zygote_actions& out);
    /// It has run all that it should.
    void preloaded(time_point now, zygote_actions& out);
    /// A request was answered, with or without a worker. False: it was not made, or was answered.
    [[nodiscard]] bool answered(std::uint32_t worker, time_point now);
    /// It broke the protocol, or cannot be watched.
    void distrust(zygote_actions& out);
    /// There is no process any more, or there could be none. The start of one worker has failed by
    /// that, not of all that wait: a zygote that cannot be started is one failure.
    void lost(zygote_actions& out);

    /// When `tick` must be called next.
    [[nodiscard]] time_point limit() const { return limit_; }
    void tick(time_point now, zygote_actions& out);
    /// Nobody listened to it, because there was nothing to do: its time starts again.
    void listen_again(time_point now);

    [[nodiscard]] zygote_state state() const { return state_; }
    /// Whether the process has something to tell, be it that it is dead.
    [[nodiscard]] bool awaits_news() const {
        return state_ == zygote_state::starting || state_ == zygote_state::preloading ||
               state_ == zygote_state::ending || !requested_.empty();
    }

private:
    void request(std::uint32_t worker, time_point now, zygote_actions& out);
    void become_ready(time_point now, zygote_actions& out);

    limits limits_;
    zygote_state state_ = zygote_state::none;
    time_point limit_ = never;
    std::vector<std::uint32_t> waiting_;   // until it is ready
    std::vector<std::uint32_t> requested_; // in the order of the requests, which is that of answers
};

} // namespace coproc::pool
