#include "worker/entry.hpp"

#include "coproc/worker.hpp"
#include "main/init_promise.hpp"
#include "process/executable.hpp"
#include "worker/crash_handler.hpp"
#include "worker/identity.hpp"
#include "worker/nesting.hpp"
#include "worker/serve.hpp"
#include "worker/worker_scope.hpp"
#include "worker/worker_signals.hpp"
#include "worker/zygote.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include <unistd.h>

// Where a process of the program finds out that it is a worker, and becomes one.
namespace coproc {
namespace {

// Atomic for programs that make executors in other threads meanwhile.
constinit std::atomic<bool> main_called_init = false;
constinit std::atomic<bool> serving = false;

// From the first moment: a worker that hangs in a static constructor must not outlive its parent.
[[maybe_unused]] const bool prepared = [] {
    const worker::identity* const identity = worker::current_identity();
    if (identity != nullptr) {
        worker::install_worker_signals(identity->parent);
    }
    return identity != nullptr;
}();

/// Started as a worker, but by nobody that it can serve.
void leave_if_misled() {
    if (const worker::identity* const told = worker::false_identity()) {
        if (worker::socket_was_made_by(told->socket, told->parent)) {
            worker::say_why_not(told->socket,
                                "it was not started directly by its executor; is "
                                "executor_options::executable or program, or COPROC_EXECUTABLE, a "
                                "script that does not end with exec?");
        }
        std::_Exit(EXIT_FAILURE);
    }
}

[[noreturn]] void work(worker::service service, worker::worker_scope& scope) {
    worker::serve(service, scope);
    // It ends with the process, so that its end means death; so does the page, where the end may
    // still be recorded.
    static_cast<void>(service.socket.release());
    std::exit(EXIT_SUCCESS);
}

[[noreturn]] void become_zygote(const worker::identity& identity) {
    if (const std::string why_not = worker::zygote::why_not(); !why_not.empty()) {
        worker::say_why_not(identity.socket, why_not.c_str());
        std::_Exit(EXIT_FAILURE);
    }
    worker::worker_scope scope;
    worker::zygote zygote(identity.parent);
    worker::service service = worker::prepare_to_serve(identity);
    service.forks = &zygote;
    worker::serve_forks(service, scope);
    if (!zygote.born()) {
        std::_Exit(EXIT_SUCCESS); // what was preloaded is the workers' to destroy
    }
    worker::service forked = worker::prepare_to_serve(*zygote.born());
    service = {}; // the zygote's; crashes are not recorded there any more
    work(std::move(forked), scope);
}

[[noreturn]] void leave_program(const worker::identity& identity) {
    process::set_process_name(program_invocation_name);
    if (identity.mode == worker::entry::zygote) {
        become_zygote(identity);
    }
    worker::worker_scope scope;
    work(worker::prepare_to_serve(identity), scope);
}

} // namespace

void init(int, char**) {
    leave_if_misled();
    main_called_init.store(true, std::memory_order_relaxed);
    if (const worker::identity* identity = worker::current_identity()) {
        leave_program(*identity);
    }
}

bool in_worker() noexcept { return worker::current_identity() != nullptr; }

void detail::init_before_main() {
    leave_if_misled();
    const worker::identity* identity = worker::current_identity();
    if (identity != nullptr && identity->mode != worker::entry::exec_main) {
        leave_program(*identity);
    }
}

worker::service worker::prepare_to_serve(const identity& own) {
    auto attached = memory::shared_page::attach(own.page);
    if (const auto* error = std::get_if<memory::page_error>(&attached)) {
        say_why_not(own.socket, error->step);
        std::_Exit(EXIT_FAILURE);
    }
    ::close(own.page);
    service made{.socket = process::unique_fd(own.socket),
                 .page = std::make_shared<memory::shared_page>(
                     std::move(std::get<memory::shared_page>(attached))),
                 .nonce = own.nonce,
                 .slot = own.slot};
    const memory::page_layout& layout = made.page->layout();
    install_worker_signals(own.parent);
    install_crash_handler({.record = &made.page->layout().crash,
                           .socket = own.socket,
                           .core_dumps = layout.settings.core_dumps != 0});
    set_process_depth(layout.settings.depth);
    serving.store(true, std::memory_order_relaxed);
    return made;
}

bool worker::would_serve(start_method method) noexcept {
    const bool called = main_called_init.load(std::memory_order_relaxed);
    return method == start_method::exec_main ? called : called || detail::init_promised();
}

bool worker::is_not_serving_yet() noexcept {
    return (current_identity() != nullptr || false_identity() != nullptr) &&
           !serving.load(std::memory_order_relaxed);
}

std::string worker::program_name() { return program_invocation_name; }

} // namespace coproc
