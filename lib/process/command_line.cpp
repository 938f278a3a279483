#include "process/command_line.hpp"

#include <algorithm>
#include <string_view>

namespace coproc::process {
namespace {

std::string_view name_of(std::string_view variable) {
    return variable.substr(0, variable.find('='));
}

} // namespace

std::vector<std::string> merge_environment(const char* const* current,
                                           std::span<const std::string> changes) {
    std::vector<std::string> merged;
    for (; current != nullptr && *current != nullptr; ++current) {
        merged.emplace_back(*current);
    }
    for (const std::string& change : changes) {
        const auto same_name = [&](const std::string& variable) {
            return name_of(variable) == name_of(change);
        };
        const auto place = std::find_if(merged.begin(), merged.end(), same_name);
        if (place == merged.end()) {
            merged.push_back(change);
        } else {
            *place = change;
        }
    }
    return merged;
}

std::vector<char*> exec_pointers(std::vector<std::string>& strings) {
    std::vector<char*> pointers;
    pointers.reserve(strings.size() + 1);
    for (std::string& text : strings) {
        pointers.push_back(text.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

} // namespace coproc::process
