#include "driver/launch_fork.hpp"

#include "driver/fork_parts.hpp"
#include "process/threads.hpp"
#include "worker/flush_output.hpp"
#include "worker/forked.hpp"

#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coproc::detail {
namespace {

/// Empty: this process can be copied.
std::string why_not_to_fork() {
    const std::size_t threads = process::count_threads();
    if (threads == 1) {
        return {};
    }
    return "start_method::fork is for programs with one thread, and this one has " +
           (threads == 0 ? "a number that /proc does not tell" : std::to_string(threads)) +
           ": in a copy the others would be missing, and what they have locked would stay locked";
}

/// What is written until the other end is closed.
std::string read_all(int descriptor) {
    std::string text;
    char some[512];
    for (;;) {
        const ssize_t got = ::read(descriptor, some, sizeof some);
        if (got > 0) {
            text.append(some, static_cast<std::size_t>(got));
        } else if (got == 0 || errno != EINTR) {
            return text;
        }
    }
}

/// The process is no worker, and ends.
void take_useless(pid_t pid) noexcept {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
}

} // namespace

std::variant<launched_worker, std::string> launch_fork(const executor_options& options,
                                                       std::uint32_t slot, unsigned depth) {
    if (std::string why_not = why_not_to_fork(); !why_not.empty()) {
        return why_not;
    }
    auto made = make_fork_parts(options, slot, depth);
    auto* const parts = std::get_if<fork_parts>(&made);
    if (parts == nullptr) {
        return std::get<std::string>(std::move(made));
    }
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return process::os_error{errno, "pipe"}.message();
    }
    const process::unique_fd answer(ends[0]);
    process::unique_fd answers(ends[1]);
    const auto descriptor = [parts](std::size_t i) {
        return i < parts->descriptors.size() ? parts->descriptors[i]->get() : -1;
    };
    const worker::forked_worker what{.socket = descriptor(0),
                                     .page = parts->worker.page->descriptor(),
                                     .output = descriptor(1),
                                     .error = descriptor(2),
                                     .answer = answers.get(),
                                     .parent = ::getpid(),
                                     .slot = slot,
                                     .nonce = parts->worker.nonce,
                                     .settings = &parts->settings};
    worker::flush_outputs();
    const pid_t pid = ::fork();
    if (pid == 0) {
        worker::work_as_fork(what);
    }
    if (pid < 0) {
        return process::os_error{errno, "fork"}.message();
    }
    answers.reset();
    if (std::string refused = read_all(answer.get()); !refused.empty()) {
        take_useless(pid);
        return refused;
    }
    process::os_result<process::child> found = process::child::find(pid);
    if (!found) {
        ::kill(pid, SIGKILL);
        take_useless(pid);
        return found.error().message();
    }
    parts->worker.child.emplace(std::move(found).value());
    parts->worker.page->close_descriptor();
    return std::move(parts->worker);
}

} // namespace coproc::detail
