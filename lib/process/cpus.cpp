#include "process/cpus.hpp"

#include "process/cgroup.hpp"
#include "process/environment_number.hpp"
#include "process/small_file.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>

#include <sched.h>
#include <unistd.h>

namespace coproc::process {
namespace {

/// Nothing: the kernel does not say.
std::vector<unsigned> affinity_mask() {
    std::vector<unsigned> found;
    // EINVAL means that the kernel's mask is longer than ours.
    for (std::size_t count = 1024; count <= 1024 * 1024; count *= 2) {
        const auto release = [](cpu_set_t* set) { CPU_FREE(set); };
        const std::unique_ptr<cpu_set_t, decltype(release)> set(CPU_ALLOC(count));
        if (set == nullptr) {
            break;
        }
        const std::size_t size_bytes = CPU_ALLOC_SIZE(count);
        if (::sched_getaffinity(0, size_bytes, set.get()) == 0) {
            for (unsigned cpu = 0; cpu < count; ++cpu) {
                if (CPU_ISSET_S(cpu, size_bytes, set.get())) {
                    found.push_back(cpu);
                }
            }
            break;
        }
        if (errno != EINVAL) {
            break;
        }
    }
    return found;
}

/// The next word of a line that may hold several.
std::string_view next_word(std::string_view& text) {
    constexpr std::string_view blanks = " \t\n";
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    const std::size_t end = std::min(text.find_first_of(blanks), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(end);
    return word;
}

} // namespace

std::vector<unsigned> allowed_cpus() {
    std::vector<unsigned> found = affinity_mask();
    if (found.empty()) {
        const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
        for (long cpu = 0; cpu < std::max(online, 1L); ++cpu) {
            found.push_back(static_cast<unsigned>(cpu));
        }
    }
    return found;
}

std::optional<std::size_t> parse_cfs_quota(std::string_view quota, std::string_view period) {
    const auto allowed = parse_count(next_word(quota));
    const auto of = parse_count(next_word(period));
    if (!allowed || !of || !next_word(quota).empty() || !next_word(period).empty()) {
        return std::nullopt;
    }
    return *allowed / *of + (*allowed % *of != 0);
}

std::optional<std::size_t> parse_cpu_max(std::string_view text) {
    const std::string_view quota = next_word(text);
    return parse_cfs_quota(quota, text);
}

std::optional<std::size_t> cpu_quota(const std::string& root) {
    const auto chain = find_cgroups("cpu", root);
    if (!chain) {
        return std::nullopt;
    }
    std::optional<std::size_t> least;
    for (const std::string& directory : chain->directories) {
        const auto here = chain->version2
                              ? parse_cpu_max(read_file(directory + "/cpu.max"))
                              : parse_cfs_quota(read_file(directory + "/cpu.cfs_quota_us"),
                                                read_file(directory + "/cpu.cfs_period_us"));
        if (here) {
            least = std::min(*here, least.value_or(*here));
        }
    }
    return least;
}

std::size_t count_cores(std::span<const unsigned> cpus, const std::string& root) {
    std::set<std::string> cores;
    std::size_t unknown = 0;
    for (const unsigned cpu : cpus) {
        // Names all CPUs of the core, so it is the core's name. Its newer name is core_cpus_list.
        std::string core = read_file(root + "/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                                     "/topology/thread_siblings_list");
        if (core.empty()) {
            ++unknown;
        } else {
            cores.insert(std::move(core));
        }
    }
    return cores.size() + unknown;
}

std::size_t count_cpus(cpus which, std::span<const unsigned> allowed,
                       std::optional<std::size_t> bound, const std::string& root) {
    std::size_t count = which == cpus::physical ? count_cores(allowed, root) : allowed.size();
    count = std::min(count, cpu_quota(root).value_or(count));
    count = std::min(count, bound.value_or(count));
    return std::max<std::size_t>(count, 1);
}

} // namespace coproc::process

std::size_t coproc::cpu_count(cpus which) {
    // Never destroyed: executors are made also while static objects are destroyed.
    static const process::environment_number& bound =
        *new process::environment_number("COPROC_MAX_CPU_COUNT");
    return process::count_cpus(which, process::allowed_cpus(), bound.get());
}
