#pragma once

#include <string>
#include <string_view>

namespace coproc::symbols {

/// The demangled name of a symbol; the symbol itself if it is not a mangled C++ name.
[[nodiscard]] std::string demangle(const char* symbol);

/// What a person calls the function: a demangled signature without return type, parameter list and
/// qualifiers, and for a lambda the lambda, also if it is what runs that in a worker. "int
/// twice<int>(int)" gives "twice<int>". Pure.
[[nodiscard]] std::string_view function_part(std::string_view signature) noexcept;

} // namespace coproc::symbols
