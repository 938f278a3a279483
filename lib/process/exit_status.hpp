#pragma once

#include <string>

namespace coproc::process {

/// How a process ended.
struct exit_status {
    enum class kind {
        exited,    ///< it called exit; `value` is its status
        signalled, ///< a signal ended it; `value` is the signal
        unknown,   ///< somebody else took the status, and the kernel does not keep a copy
    };

    kind how = kind::unknown;
    int value = 0;
    bool core_dumped = false;

    /// From si_code and si_status of a SIGCHLD or of waitid.
    [[nodiscard]] static exit_status from_siginfo(int code, int status) noexcept;
    /// From the status word of waitpid.
    [[nodiscard]] static exit_status from_wait_word(int word) noexcept;

    friend bool operator==(const exit_status&, const exit_status&) = default;
};

/// "SIGSEGV", "SIGRTMIN+3", or "signal 77" for a number that has no name.
[[nodiscard]] std::string signal_name(int number);

/// The end of a sentence about a process: "was killed by SIGSEGV", "exited with status 3".
[[nodiscard]] std::string describe(const exit_status& status);

} // namespace coproc::process
