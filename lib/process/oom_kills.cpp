#include "process/oom_kills.hpp"

#include "process/unique_fd.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

namespace coproc::process {
namespace {

std::string read_file(const std::string& path) {
    std::string text;
    const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    char block[4096];
    for (ssize_t got = 1; file && got > 0;) {
        got = ::read(file.get(), block, sizeof block);
        text.append(block, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
    return text;
}

std::string_view next_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

bool lists(std::string_view names, std::string_view name) {
    while (!names.empty()) {
        const std::size_t end = std::min(names.find(','), names.size());
        if (names.substr(0, end) == name) {
            return true;
        }
        names.remove_prefix(std::min(end + 1, names.size()));
    }
    return false;
}

/// Our memory cgroup as /proc/self/cgroup has it.
struct membership {
    bool version2 = true;
    std::string path;
};

std::optional<membership> find_membership(std::string_view text) {
    std::optional<membership> found;
    while (!text.empty()) {
        // number:controllers:path
        const std::string_view line = next_line(text);
        const std::size_t first = line.find(':');
        const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
        if (second == line.npos) {
            continue;
        }
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        const std::string path(line.substr(second + 1));
        if (lists(controllers, "memory")) {
            return membership{false, path}; // a controller is in one hierarchy only
        }
        if (controllers.empty()) {
            found = membership{true, path};
        }
    }
    return found;
}

/// Where a hierarchy can be seen: its directory, and which of its cgroups that is.
struct mount {
    std::string point;
    std::string root;
};

std::optional<mount> find_mount(const std::string& text, bool version2) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        // id parent device root point options [optional...] - type source superoptions
        std::istringstream fields(line);
        std::string skipped, type, options;
        mount found;
        fields >> skipped >> skipped >> skipped >> found.root >> found.point;
        while (fields >> skipped && skipped != "-") {
        }
        fields >> type >> skipped >> options;
        if (version2 ? type == "cgroup2" : type == "cgroup" && lists(options, "memory")) {
            return found;
        }
    }
    return std::nullopt;
}

/// The cgroup's path below the mount; empty for the mount itself, also if it lies elsewhere.
std::string below(const mount& where, const std::string& path) {
    const std::string root = where.root == "/" ? "" : where.root;
    if (!path.starts_with(root) || path == "/" || path.find("/..") != path.npos ||
        (path.size() > root.size() && path[root.size()] != '/')) {
        return {};
    }
    return path.substr(root.size());
}

/// The file of the cgroup, or of the nearest above it that has one.
std::string find_in_cgroups(const std::string& root) {
    const auto member = find_membership(read_file(root + "/proc/self/cgroup"));
    if (!member) {
        return {};
    }
    const auto where = find_mount(read_file(root + "/proc/self/mountinfo"), member->version2);
    if (!where) {
        return {};
    }
    const char* const name = member->version2 ? "/memory.events" : "/memory.oom_control";
    const std::string top = root + where->point;
    std::string path = below(*where, member->path);
    for (;;) {
        std::string file = top;
        file += path;
        file += name;
        if (parse_oom_kills(read_file(file))) {
            return file;
        }
        if (path.empty()) {
            return {};
        }
        path.resize(path.rfind('/'));
    }
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

} // namespace coproc::process
