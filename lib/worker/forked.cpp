#include "worker/forked.hpp"

#include "process/spawn.hpp"
#include "worker/current_task.hpp"
#include "worker/entry.hpp"
#include "worker/flush_output.hpp"
#include "worker/serve.hpp"
#include "worker/worker_scope.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>

#include <stdio_ext.h>
#include <unistd.h>

namespace coproc::worker {
namespace {

// What the program catches, ignores and blocks is its own.
void reset_signals() noexcept {
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    for (int number = 1; number <= SIGRTMAX; ++number) {
        ::sigaction(number, &by_default, nullptr); // refused for some, which keep it anyway
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// What the program has written and not flushed is its own.
void forget_written() noexcept {
    ::__fpurge(stdout);
    ::__fpurge(stderr);
}

[[noreturn]] void leave(int status) noexcept {
    // No other streams: those of the program lie over descriptors that are closed here.
    flush_output();
    std::fflush(stderr);
    ::_exit(status);
}

// Becomes what `what` says. Empty, or why not.
std::string prepare(const forked_worker& what, int& answer, identity& own) {
    const int given[] = {what.socket, what.page, what.answer};
    answer = what.answer;
    if (const char* const step =
            process::keep_only({.given = given, .output = what.output, .error = what.error})) {
        return std::string(step) + ": " + std::generic_category().message(errno);
    }
    answer = process::first_given_descriptor + 2;
    own = {.socket = process::first_given_descriptor,
           .page = process::first_given_descriptor + 1,
           .parent = what.parent,
           .slot = what.slot,
           .nonce = what.nonce,
           .mode = entry::exec};
    if (!become(own)) {
        return "it is not a child of its executor's process";
    }
    return process::take_settings(*what.settings);
}

} // namespace

void work_as_fork(const forked_worker& what) noexcept {
    reset_signals();
    ::setpgid(0, 0);
    forget_written();
    this_thread_task = nullptr; // of the program, if that is a worker itself
    identity own;
    int answer = -1;
    if (const std::string why_not = prepare(what, answer, own); !why_not.empty()) {
        static_cast<void>(!::write(answer, why_not.data(), why_not.size()));
        ::_exit(EXIT_FAILURE);
    }
    ::close(answer);
    worker_scope scope;
    service served = prepare_to_serve(own);
    serve(served, scope);
    leave(EXIT_SUCCESS);
}

} // namespace coproc::worker
