#include "driver/launch.hpp"

#include "driver/own_array.hpp"
#include "driver/program_file.hpp"
#include "driver/worker_settings.hpp"
#include "process/executable.hpp"
#include "process/modules.hpp"
#include "process/spawn.hpp"
#include "worker/entry.hpp"
#include "worker/identity.hpp"
#include "worker/serve.hpp"

#include <cerrno>
#include <cstring>
#include <random>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <sys/socket.h>

namespace coproc::detail {
namespace {

std::string failed(const char* step, int error) {
    return std::string(step) + ": " + std::generic_category().message(error);
}

std::uint64_t random_number() {
    std::random_device source;
    return std::uint64_t{source()} << 32 | source();
}

/// Socket and page; the second descriptor is the worker's end.
std::variant<launched_worker, std::string> prepare(const executor_options& options, unsigned depth,
                                                   process::unique_fd& workers_end) {
    launched_worker made;
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return failed("socketpair", errno);
    }
    made.socket.reset(ends[0]);
    workers_end.reset(ends[1]);
    auto page = memory::shared_page::create();
    if (const auto* error = std::get_if<memory::page_error>(&page)) {
        return failed(error->step, error->error);
    }
    made.page =
        std::make_shared<memory::shared_page>(std::move(std::get<memory::shared_page>(page)));
    made.page->layout().settings = {.max_message_bytes = options.max_message_bytes,
                                    .core_dumps = options.core_dumps,
                                    .depth = depth + 1};
    made.nonce = random_number();
    return made;
}

/// Ours does not block; the other is a pipe as any program knows it.
bool make_pipe(process::unique_fd& ours, process::unique_fd& workers) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    ours.reset(ends[0]);
    workers.reset(ends[1]);
    return ::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

/// Why a worker would be none, or would start workers without end; null: it is fine.
const char* why_not(start_method method) {
    if (worker::is_not_serving_yet()) {
        return "this process is itself a worker that has not begun to serve; static constructors, "
               "and main before coproc::init, must not submit tasks in a worker "
               "(coproc::in_worker() tells)";
    }
    if (method == start_method::program || worker::would_serve(method)) {
        return nullptr;
    }
    return method == start_method::exec_main
               ? "main of this program must call coproc::init(argc, argv)"
               : "main of this program must begin with coproc::init(argc, argv), or the program "
                 "must be linked with coproc_main; a worker would run main again";
}

std::variant<launched_worker, std::string> launch_process(const executor_options& options,
                                                          std::uint32_t slot, unsigned depth) {
    if (const char* const why = why_not(options.start)) {
        return why;
    }
    process::unique_fd workers_end;
    auto made = prepare(options, depth, workers_end);
    auto* const worker = std::get_if<launched_worker>(&made);
    if (worker == nullptr) {
        return made;
    }
    constexpr int first = process::first_given_descriptor;
    const worker::identity identity{.socket = first,
                                    .page = first + 1,
                                    .parent = ::getpid(),
                                    .slot = slot,
                                    .nonce = worker->nonce,
                                    .mode = options.start == start_method::exec_main
                                                ? worker::entry::exec_main
                                                : worker::entry::exec};
    process::spawn_request request;
    if (options.start == start_method::program) {
        worker->program = program_file(options.program);
        request.executable = worker->program;
        request.arguments = {worker->program};
    } else {
        request.executable = process::worker_executable(options.executable);
        request.arguments = {worker::program_name()};
    }
    request.variables = variables_for(options.environment, slot);
    request.variables.push_back(std::string(worker::identity_variable) + "=" +
                                worker::format_identity(identity));
    request.settings = settings_for(options.process, slot);
    request.descriptors = {workers_end.get(), worker->page->descriptor()};
    process::unique_fd output;
    process::unique_fd error;
    if (options.capture_output) {
        if (!make_pipe(worker->output, output) || !make_pipe(worker->error, error)) {
            return failed("a pipe for the worker's output", errno);
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

const own_arrays arrays_of_this_process;

std::variant<launched_worker, std::string> launch_thread(const executor_options& options,
                                                         std::uint32_t slot, unsigned depth) {
    process::unique_fd workers_end;
    auto made = prepare(options, depth, workers_end);
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
        std::thread([service = std::move(service)]() mutable { worker::serve(service); }).detach();
    } catch (const std::system_error& error) {
        return failed("a thread for start_method::in_process", error.code().value());
    }
    return made;
}

} // namespace

std::variant<launched_worker, std::string> launch(const executor_options& options,
                                                  std::uint32_t slot, unsigned depth) {
    return options.start == start_method::in_process ? launch_thread(options, slot, depth)
                                                     : launch_process(options, slot, depth);
}

} // namespace coproc::detail
