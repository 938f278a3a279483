#include "process/process_settings.hpp"

#include <algorithm>

namespace coproc::process {

std::string describe(setting what, const process_settings& settings, int niceness,
                     std::size_t failed_limit) {
    const std::string option = "executor_options::process.";
    switch (what) {
    case setting::working_directory:
        return option + "working_directory: chdir to " + settings.working_directory;
    case setting::nice:
        return option + "nice: setpriority to " + std::to_string(niceness);
    case setting::affinity: {
        std::string text = option + "affinity: sched_setaffinity to CPU";
        for (const unsigned cpu : settings.affinity) {
            text += " " + std::to_string(cpu);
        }
        return text;
    }
    case setting::limit:
        break;
    }
    const resource_limit& limit = settings.limits[failed_limit];
    return option + "limits." + limit.name + ": setrlimit to " + std::to_string(limit.soft);
}

std::vector<unsigned long> mask_of(const std::vector<unsigned>& cpus) {
    constexpr unsigned bits = 8 * sizeof(unsigned long);
    std::vector<unsigned long> mask;
    for (const unsigned cpu : cpus) {
        mask.resize(std::max<std::size_t>(mask.size(), cpu / bits + 1));
        mask[cpu / bits] |= 1UL << cpu % bits;
    }
    return mask;
}

int niceness_with(int nice) noexcept {
    return std::clamp(::getpriority(PRIO_PROCESS, 0) + nice, PRIO_MIN, PRIO_MAX - 1);
}

} // namespace coproc::process
