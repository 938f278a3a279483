#include "driver/execute.hpp"

#include "driver/program_file.hpp"
#include "driver/worker_parts.hpp"
#include "process/executable.hpp"
#include "process/spawn.hpp"
#include "worker/entry.hpp"

#include <utility>

#include <unistd.h>

namespace coproc::detail {

std::string why_not_to_execute(const executor_options& options) {
    if (worker::is_not_serving_yet()) {
        return "this process is itself a worker that has not begun to serve; static constructors, "
               "and main before coproc::init, must not submit tasks in a worker "
               "(coproc::in_worker() tells)";
    }
    if (options.start != start_method::program && !worker::would_serve(options.start)) {
        return options.start == start_method::exec_main
                   ? "main of this program must call coproc::init(argc, argv)"
                   : "main of this program must begin with coproc::init(argc, argv), or the "
                     "program must be linked with coproc_main; a worker would run main again";
    }
    return {};
}

std::variant<launched_worker, std::string> execute(const executor_options& options, execution what,
                                                   unsigned depth) {
    if (std::string why_not = why_not_to_execute(options); !why_not.empty()) {
        return why_not;
    }
    process::unique_fd workers_end;
    auto made = make_parts(options, depth, workers_end);
    auto* const worker = std::get_if<launched_worker>(&made);
    if (worker == nullptr) {
        return made;
    }
    constexpr int first = process::first_given_descriptor;
    const worker::identity identity{.socket = first,
                                    .page = first + 1,
                                    .parent = ::getpid(),
                                    .slot = what.slot,
                                    .nonce = worker->nonce,
                                    .mode = what.mode};
    process::spawn_request request;
    if (options.start == start_method::program) {
        request.executable = program_file(options.program);
        request.arguments = {request.executable};
    } else {
        request.executable = process::worker_executable(options.executable);
        request.arguments = {worker::program_name()};
    }
    if (options.start == start_method::program || request.executable != process::own_executable()) {
        worker->file = request.executable;
    }
    request.variables = std::move(what.variables);
    request.variables.push_back(std::string(worker::identity_variable) + "=" +
                                worker::format_identity(identity));
    request.settings = std::move(what.settings);
    request.descriptors = {workers_end.get(), worker->page->descriptor()};
    process::unique_fd output;
    process::unique_fd error;
    if (what.capture_output) {
        if (std::string why_not = make_output_pipes(*worker, output, error); !why_not.empty()) {
            return why_not;
        }
        request.output = output.get();
        request.error = error.get();
    }
    auto spawned = process::spawn(request);
    if (!spawned) {
        return spawned.error().message();
    }
    worker->child.emplace(std::move(spawned).value());
    worker->page->close_descriptor();
    return made;
}

} // namespace coproc::detail
