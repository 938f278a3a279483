#pragma once

#include <string>
#include <string_view>

namespace coproc::symbols {

/// The demangled name of a symbol; the symbol itself if it is not a mangled C++ name.
[[nodiscard]] std::string demangle(const char* symbol);

/// What a person calls the function: a demangled signature without return type, parameter list and
/// qualifiers, and for a lambda the lambda. "int twice<int>(int)" gives "twice<int>". Pure.
[[nodiscard]] std::string_view function_part(std::string_view signature) noexcept;

/// What a person calls a task, by the function part of what runs it in a worker: an instantiation
/// of task_invoker (coproc/detail/call.hpp), whose first template argument is the type of the
/// task's function. What is none is its own name. Pure.
[[nodiscard]] std::string_view function_of_task(std::string_view name) noexcept;

} // namespace coproc::symbols
