#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coproc::worker {

/// Where a worker process leaves the program's own path.
enum class entry {
    exec,      ///< before main, in coproc::init at the latest
    exec_main, ///< in coproc::init, which main calls
    zygote,    ///< as exec, and does not serve but forks those who do
};

/// What a process that was started as a worker is told by its parent.
struct identity {
    int socket = -1;         ///< the connection to the parent
    int page = -1;           ///< the shared page
    pid_t parent = -1;       ///< process number of the executor's process
    std::uint32_t slot = 0;  ///< number of the worker in its executor
    std::uint64_t nonce = 0; ///< returned to the parent in the hello
    entry mode = entry::exec;

    friend bool operator==(const identity&, const identity&) = default;
};

/// The environment variable that carries an identity.
inline constexpr const char* identity_variable = "COPROC_WORKER";

/// "3:4:1234:0:00000000deadbeef:exec": socket, page, parent, slot, nonce in 16 hexadecimal digits,
/// mode. Pure.
[[nodiscard]] std::string format_identity(const identity& worker);

/// The inverse; nothing for any other text. Pure.
[[nodiscard]] std::optional<identity> parse_identity(std::string_view text);

/// The identity of this process; null if it is not a worker.
///
/// Found out once, before main and at the first call, also from static constructors. The variable
/// is believed if the named parent is our parent and made the socket, and is removed in any case,
/// so that what a task starts is not taken for a worker. The two descriptors are close-on-exec
/// afterwards. Any thread.
[[nodiscard]] const identity* current_identity();

/// What a zygote has forked: from now on this is the identity of this process, which has one
/// thread. False, and nothing is changed: it is not true of this process.
[[nodiscard]] bool become(const identity&);

/// If the variable was there and is not believed, this process must not go on as if nobody had
/// started it: its executor is gone, or something between the two, such as a wrapper script,
/// started it, and where it would start workers in the same way there would be no end to it. Null:
/// it was not there, or is believed. Else what it says; the descriptors may be anybody's.
[[nodiscard]] const identity* false_identity();

/// Whether the socket was made by that process: then it is the connection to a parent.
[[nodiscard]] bool socket_was_made_by(int socket, pid_t parent) noexcept;

} // namespace coproc::worker
