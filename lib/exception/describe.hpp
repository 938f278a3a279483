#pragma once

#include <cstddef>
#include <exception>
#include <string>
#include <typeinfo>

// What can be read from an exception of unknown type.
namespace coproc::exceptions {

inline constexpr std::size_t max_text = 64 * 1024;
inline constexpr std::size_t max_type_name = 4 * 1024;
/// How far a chain of nested exceptions is followed. It ends there if it is longer, or a circle.
inline constexpr int max_depth = 16;

struct description {
    /// Demangled name of the dynamic type, without what std::throw_with_nested and
    /// boost::throw_exception wrap around it. Of an exception from a worker: its type there.
    std::string type;
    /// what(), cut at max_text; empty if the exception does not derive from std::exception.
    std::string what;
    /// What std::rethrow_if_nested would throw, or null.
    std::exception_ptr nested;
};

/// Throws nothing but std::bad_alloc. `thrown` is not null.
[[nodiscard]] description describe(const std::exception_ptr& thrown);

/// For a sentence: "std::range_error: it is broken", or the type alone.
[[nodiscard]] std::string in_words(const description& thrown);

/// As description::type.
[[nodiscard]] std::string type_name(const std::type_info& type);

} // namespace coproc::exceptions
