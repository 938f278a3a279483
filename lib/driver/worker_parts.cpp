#include "driver/worker_parts.hpp"

#include <cerrno>
#include <memory>
#include <random>
#include <system_error>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace coproc::detail {
namespace {

std::uint64_t random_number() {
    std::random_device source;
    return std::uint64_t{source()} << 32 | source();
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

} // namespace

std::string failed_step(const char* step, int error) {
    return std::string(step) + ": " + std::generic_category().message(error);
}

std::variant<launched_worker, std::string>
make_parts(const executor_options& options, unsigned depth, process::unique_fd& workers_end) {
    launched_worker made;
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return failed_step("socketpair", errno);
    }
    made.socket.reset(ends[0]);
    workers_end.reset(ends[1]);
    auto page = memory::shared_page::create();
    if (const auto* error = std::get_if<memory::page_error>(&page)) {
        return failed_step(error->step, error->error);
    }
    made.page =
        std::make_shared<memory::shared_page>(std::move(std::get<memory::shared_page>(page)));
    made.page->layout().settings = {.max_message_bytes = options.max_message_bytes,
                                    .core_dumps = options.core_dumps,
                                    .depth = depth + 1};
    made.nonce = random_number();
    return made;
}

std::string make_output_pipes(launched_worker& worker, process::unique_fd& output,
                              process::unique_fd& error) {
    return make_pipe(worker.output, output) && make_pipe(worker.error, error)
               ? std::string()
               : failed_step("a pipe for the worker's output", errno);
}

} // namespace coproc::detail
