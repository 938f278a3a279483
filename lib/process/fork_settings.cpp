#include "process/fork_settings.hpp"

#include <coproc/codec.hpp>
#include <coproc/codecs/optional.hpp>
#include <coproc/codecs/string.hpp>
#include <coproc/codecs/vector.hpp>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

namespace coproc::process {
namespace {

bool set_affinity(const std::vector<unsigned>& cpus) {
    if (cpus.empty()) {
        return true;
    }
    const std::vector<unsigned long> mask = mask_of(cpus);
    return ::sched_setaffinity(0, mask.size() * sizeof mask[0],
                               reinterpret_cast<const cpu_set_t*>(mask.data())) == 0;
}

// Gives the number of the limit that is refused, or that of all.
std::size_t set_limits(const std::vector<resource_limit>& limits) {
    for (std::size_t i = 0; i < limits.size(); ++i) {
        const rlimit both{limits[i].soft, limits[i].hard};
        if (::setrlimit(static_cast<__rlimit_resource>(limits[i].resource), &both) != 0) {
            return i;
        }
    }
    return limits.size();
}

void set_variables(const std::vector<std::string>& variables) {
    for (const std::string& each : variables) {
        const std::size_t end = each.find('=');
        ::setenv(each.substr(0, end).c_str(), each.c_str() + end + 1, 1);
    }
}

} // namespace

coproc::detail::payload encode_settings(const fork_settings& settings) {
    encoder out;
    out.write(settings);
    return out.release();
}

fork_settings decode_settings(std::span<const std::byte> payload) {
    decoder in(payload);
    auto settings = in.read<fork_settings>();
    in.finish();
    return settings;
}

std::string take_settings(const fork_settings& settings) {
    const process_settings& own = settings.process;
    const auto refused = [&](setting what, std::size_t limit = 0) {
        const int number = errno;
        return describe(what, own, settings.niceness.value_or(0), limit) + ": " +
               std::generic_category().message(number);
    };
    if (!own.working_directory.empty() && ::chdir(own.working_directory.c_str()) != 0) {
        return refused(setting::working_directory);
    }
    if (settings.niceness && ::setpriority(PRIO_PROCESS, 0, *settings.niceness) != 0) {
        return refused(setting::nice);
    }
    if (!set_affinity(own.affinity)) {
        return refused(setting::affinity);
    }
    if (const std::size_t limit = set_limits(own.limits); limit < own.limits.size()) {
        return refused(setting::limit, limit);
    }
    set_variables(settings.variables);
    return {};
}

} // namespace coproc::process
