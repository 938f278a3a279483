#include "worker/entry.hpp"

#include "coproc/worker.hpp"
#include "main/init_promise.hpp"
#include "process/executable.hpp"
#include "worker/crash_handler.hpp"
#include "worker/identity.hpp"
#include "worker/serve.hpp"
#include "worker/worker_signals.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include <unistd.h>

// Where a process of the program finds out that it is a worker, and becomes one.
namespace coproc {
namespace {

// Atomic for programs that make executors in other threads meanwhile.
constinit std::atomic<bool> main_called_init = false;

[[noreturn]] void become_worker(const worker::identity& identity) {
    auto attached = memory::shared_page::attach(identity.page);
    if (const auto* error = std::get_if<memory::page_error>(&attached)) {
        worker::say_why_not(identity.socket, error->step);
        std::_Exit(EXIT_FAILURE);
    }
    ::close(identity.page);
    auto page =
        std::make_shared<memory::shared_page>(std::move(std::get<memory::shared_page>(attached)));
    process::set_process_name(program_invocation_name);
    worker::install_worker_signals(identity.parent);
    worker::install_crash_handler({.record = &page->layout().crash,
                                   .socket = identity.socket,
                                   .core_dumps = page->layout().settings.core_dumps != 0});
    {
        worker::service service{.socket = process::unique_fd(identity.socket),
                                .page = page,
                                .nonce = identity.nonce,
                                .slot = identity.slot};
        worker::serve(service);
        static_cast<void>(
            service.socket.release()); // it ends with the process, so that its end means death
    }
    std::exit(EXIT_SUCCESS);
}

} // namespace

void init(int, char**) {
    main_called_init.store(true, std::memory_order_relaxed);
    if (const worker::identity* identity = worker::current_identity()) {
        become_worker(*identity);
    }
}

bool in_worker() noexcept { return worker::current_identity() != nullptr; }

void detail::init_before_main() {
    const worker::identity* identity = worker::current_identity();
    if (identity != nullptr && identity->mode != worker::entry::exec_main) {
        become_worker(*identity);
    }
}

bool worker::would_serve(start_method method) noexcept {
    const bool called = main_called_init.load(std::memory_order_relaxed);
    return method == start_method::exec_main ? called : called || detail::init_promised();
}

std::string worker::program_name() { return program_invocation_name; }

} // namespace coproc
