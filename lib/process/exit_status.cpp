#include "process/exit_status.hpp"

#include <csignal>
#include <cstring>
#include <sys/wait.h>

namespace coproc::process {

exit_status exit_status::from_siginfo(int code, int status) noexcept {
    switch (code) {
    case CLD_EXITED:
        return {kind::exited, status, false};
    case CLD_KILLED:
        return {kind::signalled, status, false};
    case CLD_DUMPED:
        return {kind::signalled, status, true};
    default:
        return {};
    }
}

exit_status exit_status::from_wait_word(int word) noexcept {
    if (WIFEXITED(word)) {
        return {kind::exited, WEXITSTATUS(word), false};
    }
    if (WIFSIGNALED(word)) {
        return {kind::signalled, WTERMSIG(word), static_cast<bool>(WCOREDUMP(word))};
    }
    return {};
}

std::string signal_name(int number) {
    if (const char* name = ::sigabbrev_np(number)) {
        return std::string("SIG") + name;
    }
    if (number >= SIGRTMIN && number <= SIGRTMAX) {
        return "SIGRTMIN+" + std::to_string(number - SIGRTMIN);
    }
    return "signal " + std::to_string(number);
}

std::string describe(const exit_status& status) {
    switch (status.how) {
    case exit_status::kind::exited:
        return "exited with status " + std::to_string(status.value);
    case exit_status::kind::signalled:
        return "was killed by " + signal_name(status.value);
    case exit_status::kind::unknown:
        break;
    }
    return "ended, its status is unknown";
}

} // namespace coproc::process
