#include "process/memory_use.hpp"

#include "process/small_file.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <new>

namespace coproc::process {
namespace {

/// The number of "Name:   123 kB", in bytes.
std::optional<std::uint64_t> find_size(std::string_view text, std::string_view name) {
    constexpr std::uint64_t kibibyte = 1024;
    constexpr std::string_view blank = " \t";
    while (!text.empty()) {
        std::string_view line = next_line(text);
        if (!line.starts_with(name) || !line.substr(name.size()).starts_with(':')) {
            continue;
        }
        line.remove_prefix(name.size() + 1);
        line.remove_prefix(std::min(line.find_first_not_of(blank), line.size()));
        std::uint64_t count = 0;
        const char* const end = line.data() + line.size();
        const auto read = std::from_chars(line.data(), end, count);
        const bool whole = read.ec == std::errc() && std::string_view(read.ptr, end) == " kB" &&
                           count <= std::numeric_limits<std::uint64_t>::max() / kibibyte;
        return whole ? std::optional(count * kibibyte) : std::nullopt;
    }
    return std::nullopt;
}

std::optional<std::uint64_t> add(std::optional<std::uint64_t> one, std::uint64_t other) {
    return one && *one <= std::numeric_limits<std::uint64_t>::max() - other
               ? std::optional(*one + other)
               : std::nullopt;
}

} // namespace

std::optional<std::uint64_t> parse_private_memory(std::string_view status) {
    return add(find_size(status, "RssAnon"), find_size(status, "VmSwap").value_or(0));
}

std::optional<std::uint64_t> parse_resident_memory(std::string_view smaps_rollup) {
    const auto anonymous = find_size(smaps_rollup, "Anonymous");
    const std::uint64_t lazy = find_size(smaps_rollup, "LazyFree").value_or(0);
    return anonymous && lazy <= *anonymous ? std::optional(*anonymous - lazy) : std::nullopt;
}

std::optional<std::uint64_t> private_memory(const std::string& directory) noexcept {
    try {
        return parse_private_memory(read_file(directory + "/status"));
    } catch (const std::bad_alloc&) {
        return std::nullopt;
    }
}

std::optional<std::uint64_t> exact_private_memory(const std::string& directory) noexcept {
    try {
        const std::string status = read_file(directory + "/status");
        const auto resident = parse_resident_memory(read_file(directory + "/smaps_rollup"));
        const auto exact = add(resident, find_size(status, "VmSwap").value_or(0));
        return exact ? exact : parse_private_memory(status);
    } catch (const std::bad_alloc&) {
        return std::nullopt;
    }
}

} // namespace coproc::process
