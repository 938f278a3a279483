#include "driver/worker_settings.hpp"

#include <algorithm>

namespace coproc::detail {
namespace {

using process::resource_limit;

/// Both at once, so that a task cannot raise it again.
void add_limit(std::vector<resource_limit>& all, int resource, std::size_t value,
               const char* name) {
    if (value != no_bound) {
        all.push_back({resource, value, value, name});
    }
}

/// In whole seconds, which is what the kernel counts.
void add_cpu_time(std::vector<resource_limit>& all, duration limit) {
    if (limit == no_limit) {
        return;
    }
    const auto seconds =
        static_cast<rlim_t>(std::chrono::ceil<std::chrono::seconds>(limit).count());
    // At the first the kernel sends SIGXCPU, which tells why; at the second SIGKILL, which does
    // not.
    all.push_back({RLIMIT_CPU, seconds, seconds + 1, "cpu_time"});
}

constexpr std::string_view slot_mark = "{slot}";

std::string assignment(const std::string& name, const std::string& value) {
    std::string variable = name;
    variable += '=';
    variable += value;
    return variable;
}

} // namespace

std::string with_slot(std::string_view text, std::uint32_t slot) {
    std::string made;
    for (std::size_t at = text.find(slot_mark); at != text.npos; at = text.find(slot_mark)) {
        made += text.substr(0, at);
        made += std::to_string(slot);
        text.remove_prefix(at + slot_mark.size());
    }
    made += text;
    return made;
}

std::vector<std::string> variables_for(const std::map<std::string, std::string>& environment,
                                       std::uint32_t slot) {
    std::vector<std::string> all;
    all.reserve(environment.size());
    for (const auto& [name, value] : environment) {
        all.push_back(assignment(name, with_slot(value, slot)));
    }
    return all;
}

std::vector<std::string> common_variables(const std::map<std::string, std::string>& environment) {
    std::vector<std::string> all;
    for (const auto& [name, value] : environment) {
        if (value.find(slot_mark) == value.npos) {
            all.push_back(assignment(name, value));
        }
    }
    return all;
}

process::process_settings settings_for_zygote(const process_options& options) {
    process::process_settings made;
    add_limit(made.limits, RLIMIT_STACK, options.limits.stack_bytes, "stack_bytes");
    return made;
}

process::process_settings settings_for(const process_options& options, std::uint32_t slot) {
    process::process_settings made{.working_directory = with_slot(options.working_directory, slot),
                                   .nice = options.nice};
    if (!options.affinity.empty()) {
        made.affinity = options.affinity[slot % options.affinity.size()];
    }
    const resource_limits& limits = options.limits;
    add_limit(made.limits, RLIMIT_NOFILE, limits.open_files, "open_files");
    add_limit(made.limits, RLIMIT_FSIZE, limits.file_bytes, "file_bytes");
    add_limit(made.limits, RLIMIT_STACK, limits.stack_bytes, "stack_bytes");
    add_cpu_time(made.limits, limits.cpu_time);
    // Not RLIMIT_AS, which also counts what is shared with others and what is only reserved:
    // stacks' guards, the allocator's arenas, the message of a task that lies in shared memory.
    add_limit(made.limits, RLIMIT_DATA, limits.memory_bytes, "memory_bytes");
    return made;
}

} // namespace coproc::detail
