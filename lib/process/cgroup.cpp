#include "process/cgroup.hpp"

#include "process/small_file.hpp"

#include <algorithm>
#include <sstream>

namespace coproc::process {
namespace {

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

/// Our group as /proc/self/cgroup has it.
struct membership {
    bool version2 = true;
    std::string path;
};

std::optional<membership> find_membership(std::string_view text, std::string_view controller) {
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
        if (lists(controllers, controller)) {
            return membership{false, path}; // a controller is in one hierarchy only
        }
        if (controllers.empty()) {
            found = membership{true, path};
        }
    }
    return found;
}

/// Where a hierarchy can be seen: its directory, and which of its groups that is.
struct mount {
    std::string point;
    std::string root;
};

std::optional<mount> find_mount(const std::string& text, bool version2,
                                std::string_view controller) {
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
        if (version2 ? type == "cgroup2" : type == "cgroup" && lists(options, controller)) {
            return found;
        }
    }
    return std::nullopt;
}

/// The group's path below the mount; empty for the mount itself, also if the paths do not fit: some
/// containers see their own group there under a name that is not the kernel's. Nothing: the group
/// lies outside of what this process may see.
std::optional<std::string> below(const mount& where, const std::string& path) {
    if (path.starts_with("/..")) {
        return std::nullopt;
    }
    const std::string root = where.root == "/" ? "" : where.root;
    if (!path.starts_with(root) || path == "/" ||
        (path.size() > root.size() && path[root.size()] != '/')) {
        return std::string();
    }
    return path.substr(root.size());
}

} // namespace

std::optional<cgroup_chain> find_cgroups(std::string_view controller, const std::string& root) {
    const auto member = find_membership(read_file(root + "/proc/self/cgroup"), controller);
    if (!member) {
        return std::nullopt;
    }
    const auto where =
        find_mount(read_file(root + "/proc/self/mountinfo"), member->version2, controller);
    if (!where) {
        return std::nullopt;
    }
    const std::string top = root + where->point;
    cgroup_chain chain{.version2 = member->version2, .directories = {}};
    auto path = below(*where, member->path);
    if (!path) {
        return std::nullopt;
    }
    while (!path->empty()) {
        chain.directories.push_back(top + *path);
        path->resize(path->rfind('/'));
    }
    chain.directories.push_back(top);
    return chain;
}

} // namespace coproc::process
