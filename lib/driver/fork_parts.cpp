#include "driver/fork_parts.hpp"

#include "driver/execute.hpp"
#include "driver/worker_parts.hpp"
#include "driver/worker_settings.hpp"

#include <utility>

namespace coproc::detail {
namespace {

process::fork_settings settings_of_worker(const executor_options& options, std::uint32_t slot) {
    process::fork_settings made{.process = settings_for(options.process, slot),
                                .niceness = std::nullopt,
                                .variables = variables_for(options.environment, slot)};
    if (made.process.nice != 0) {
        made.niceness = process::niceness_with(made.process.nice);
    }
    return made;
}

std::shared_ptr<const process::unique_fd> shared(process::unique_fd descriptor) {
    return std::make_shared<const process::unique_fd>(std::move(descriptor));
}

} // namespace

std::variant<fork_parts, std::string> make_fork_parts(const executor_options& options,
                                                      std::uint32_t slot, unsigned depth) {
    process::unique_fd workers_end;
    auto made = make_parts(options, depth, workers_end);
    if (auto* const why_not = std::get_if<std::string>(&made)) {
        return std::move(*why_not);
    }
    fork_parts parts{.worker = std::get<launched_worker>(std::move(made)),
                     .descriptors = {},
                     .settings = settings_of_worker(options, slot),
                     .slot = slot};
    parts.descriptors.push_back(shared(std::move(workers_end)));
    if (options.capture_output) {
        process::unique_fd output;
        process::unique_fd error;
        if (std::string why_not = make_output_pipes(parts.worker, output, error);
            !why_not.empty()) {
            return why_not;
        }
        parts.descriptors.push_back(shared(std::move(output)));
        parts.descriptors.push_back(shared(std::move(error)));
    }
    return parts;
}

std::variant<launched_worker, std::string> launch_zygote(const executor_options& options,
                                                         unsigned depth) {
    auto made = execute(options,
                        {.mode = worker::entry::zygote,
                         .variables = common_variables(options.environment),
                         .settings = settings_for_zygote(options.process),
                         .capture_output = options.capture_output},
                        depth);
    if (auto* const zygote = std::get_if<launched_worker>(&made)) {
        zygote->child->makes_children();
    }
    return made;
}

} // namespace coproc::detail
