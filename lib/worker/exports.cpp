#include "worker/exports.hpp"

#include "fork_mutex.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <cxxabi.h>

// The functions that COPROC_EXPORT has named. Static initialisers of the program and of libraries
// that it loads fill the list, in any order.
namespace coproc {
namespace {

constinit std::mutex exports_mutex;
[[maybe_unused]] const int at_fork = detail::free_in_forked_children<exports_mutex>();
constinit detail::exported_function* first_export = nullptr;

std::string quoted(std::string_view name) { return '"' + std::string(name) + '"'; }

/// "int (int)".
std::string readable(const std::type_info& type) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> name(
        abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
    return name ? name.get() : type.name();
}

/// "exported are "crop", "resize""; of many, the first.
std::string known_names() {
    constexpr std::size_t most = 50;
    std::vector<std::string_view> names;
    for (const auto* each = first_export; each != nullptr; each = each->next) {
        names.push_back(each->name);
    }
    if (names.empty()) {
        return "it exports no functions";
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    std::string text = "exported are ";
    for (std::size_t i = 0; i < std::min(names.size(), most); ++i) {
        text += (i == 0 ? "" : ", ") + quoted(names[i]);
    }
    return names.size() <= most ? text
                                : text + " and " + std::to_string(names.size() - most) + " more";
}

} // namespace

detail::exported_function::exported_function(const char* name_, std::uint64_t signature_,
                                             const std::type_info& type_, invoker invoke_,
                                             invoker invoke_chunk_) noexcept
    : name(name_),
      signature(signature_),
      type(type_),
      invoke(invoke_),
      invoke_chunk(invoke_chunk_) {
    const std::lock_guard lock(exports_mutex);
    next = std::exchange(first_export, this);
}

detail::exported_function::~exported_function() {
    const std::lock_guard lock(exports_mutex);
    for (exported_function** each = &first_export; *each != nullptr; each = &(*each)->next) {
        if (*each == this) {
            *each = next;
            return;
        }
    }
}

worker::found_export worker::find_export(std::string_view name, std::uint64_t signature) {
    const std::lock_guard lock(exports_mutex);
    const detail::exported_function* found = nullptr;
    for (const auto* each = first_export; each != nullptr; each = each->next) {
        if (each->name != name) {
            continue;
        }
        if (found != nullptr) {
            return {nullptr, "several functions are exported as " + quoted(name)};
        }
        found = each;
    }
    if (found == nullptr) {
        return {nullptr, "it exports nothing as " + quoted(name) + "; " + known_names()};
    }
    if (detail::signature_for_chunks(found->signature) == signature) {
        return {found->invoke_chunk, {}};
    }
    if (found->signature != signature) {
        return {nullptr, "it exports " + quoted(name) + " as " + readable(found->type) +
                             ", whose types are not those that the caller named"};
    }
    return {found->invoke, {}};
}

} // namespace coproc
