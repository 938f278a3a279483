#pragma once

#include <cstdint>
#include <string>

// What can be said about the reuse of executors. An aggregate: use designated initializers.
namespace coproc {

/// When get_reusable_executor gives the executor that is there.
enum class reuse_policy : std::uint8_t {
    automatic, ///< if its options are equal, but for max_workers, to which it is resized
    always,    ///< whatever its options are; only max_workers is looked at
    never,     ///< a new one takes its place
};

/// Which reusable executor is meant, and what happens to the one that is there.
struct reuse_options {
    /// There is one executor of a name in a process. Libraries name theirs, so that they and the
    /// program do not replace each other's. Any text; empty: that of the program.
    std::string name = {};
    /// When the executor that is there is given.
    reuse_policy reuse = reuse_policy::automatic;
    /// If it is replaced: its tasks fail with errc::executor_shutdown, and what runs has its grace,
    /// then is killed (shutdown_mode::kill). Otherwise it serves those who hold it to the end.
    bool kill_workers = false;
};

} // namespace coproc
