#include "driver/launch.hpp"

#include "driver/execute.hpp"
#include "driver/launch_fork.hpp"
#include "driver/own_array.hpp"
#include "driver/worker_parts.hpp"
#include "driver/worker_settings.hpp"
#include "worker/serve.hpp"
#include "worker/worker_scope.hpp"

#include <system_error>
#include <thread>

namespace coproc::detail {
namespace {

const own_arrays arrays_of_this_process;

std::variant<launched_worker, std::string> launch_thread(const executor_options& options,
                                                         std::uint32_t slot, unsigned depth) {
    process::unique_fd workers_end;
    auto made = make_parts(options, depth, workers_end);
    auto* const worker = std::get_if<launched_worker>(&made);
    if (worker == nullptr) {
        return made;
    }
    worker->page->close_descriptor();
    worker::service service{.socket = std::move(workers_end),
                            .page = worker->page,
                            .nonce = worker->nonce,
                            .slot = slot,
                            .arrays = &arrays_of_this_process};
    try {
        std::thread([service = std::move(service)]() mutable {
            worker::worker_scope scope;
            worker::serve(service, scope);
        }).detach();
    } catch (const std::system_error& error) {
        return failed_step("a thread for start_method::in_process", error.code().value());
    }
    return made;
}

} // namespace

std::variant<launched_worker, std::string> launch(const executor_options& options,
                                                  std::uint32_t slot, unsigned depth) {
    if (options.start == start_method::in_process) {
        return launch_thread(options, slot, depth);
    }
    if (options.start == start_method::fork) {
        return launch_fork(options, slot, depth);
    }
    return execute(options,
                   {.mode = options.start == start_method::exec_main ? worker::entry::exec_main
                                                                     : worker::entry::exec,
                    .slot = slot,
                    .variables = variables_for(options.environment, slot),
                    .settings = settings_for(options.process, slot),
                    .capture_output = options.capture_output},
                   depth);
}

} // namespace coproc::detail
