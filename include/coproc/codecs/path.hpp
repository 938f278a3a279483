#pragma once

#include <coproc/codecs/string.hpp>

#include <concepts>

namespace coproc {

namespace detail {

/// std::filesystem::path, told by what it has: its header is one of the longest, and those who have
/// a path to send have included it.
template <class T>
concept path_like = requires(const T& path) {
    { path.native() } -> std::same_as<const typename T::string_type&>;
    { path.lexically_normal() } -> std::same_as<T>;
    T::preferred_separator;
}
&&std::constructible_from<T, typename T::string_type>;

} // namespace detail

/// Paths travel as their native strings.
template <detail::path_like Path>
struct codec<Path> {
    using parts = detail::types<typename Path::string_type>;

    static void encode(encoder& out, const Path& value) { out.write(value.native()); }
    static Path decode(decoder& in) { return Path(in.read<typename Path::string_type>()); }
};

} // namespace coproc
