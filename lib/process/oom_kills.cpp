#include "process/oom_kills.hpp"

#include "fork_mutex.hpp"
#include "process/cgroup.hpp"
#include "process/small_file.hpp"

#include <algorithm>
#include <charconv>
#include <mutex>

namespace coproc::process {
namespace {

/// The file of the cgroup, or of the nearest above it that has one.
std::string find_in_cgroups(const std::string& root) {
    const auto chain = find_cgroups("memory", root);
    if (!chain) {
        return {};
    }
    const char* const name = chain->version2 ? "/memory.events" : "/memory.oom_control";
    for (const std::string& directory : chain->directories) {
        std::string file = directory + name;
        if (parse_oom_kills(read_file(file))) {
            return file;
        }
    }
    return {};
}

} // namespace

std::optional<std::uint64_t> parse_oom_kills(std::string_view text) {
    constexpr std::string_view name = "oom_kill ";
    while (!text.empty()) {
        const std::string_view line = next_line(text);
        if (line.starts_with(name)) {
            std::uint64_t count = 0;
            const char* const end = line.data() + line.size();
            const auto read = std::from_chars(line.data() + name.size(), end, count);
            return read.ec == std::errc() && read.ptr == end ? std::optional(count) : std::nullopt;
        }
    }
    return std::nullopt;
}

oom_kill_counter oom_kill_counter::find(const std::string& root) {
    oom_kill_counter found;
    found.file_ = find_in_cgroups(root);
    if (found.file_.empty() && parse_oom_kills(read_file(root + "/proc/vmstat"))) {
        found.file_ = root + "/proc/vmstat";
    }
    return found;
}

std::optional<std::uint64_t> oom_kill_counter::read() const {
    return file_.empty() ? std::nullopt : parse_oom_kills(read_file(file_));
}

bool oom_kill_claims::claim(std::uint64_t before, std::uint64_t now) {
    for (std::uint64_t kill = before + 1; kill <= now; ++kill) {
        const auto place = std::lower_bound(claimed_.begin(), claimed_.end(), kill);
        if (place == claimed_.end() || *place != kill) {
            claimed_.insert(place, kill);
            if (claimed_.size() > most) {
                claimed_.erase(claimed_.begin());
            }
            return true;
        }
    }
    return false;
}

namespace {

std::mutex claims_mutex;
oom_kill_claims claims;
[[maybe_unused]] const int claims_fork = detail::free_in_forked_children<claims_mutex>();

} // namespace

bool claim_oom_kill(std::uint64_t before, std::uint64_t now) {
    const std::lock_guard lock(claims_mutex);
    return claims.claim(before, now);
}

} // namespace coproc::process
