#pragma once

// What can be submitted.

#include <coproc/codec.hpp>
#include <coproc/codecs/optional.hpp>
#include <coproc/codecs/string.hpp>
#include <coproc/codecs/tuple.hpp>
#include <coproc/codecs/vector.hpp>
#include <coproc/detail/task.hpp>

#include <type_traits>

namespace coproc {

/**
 * @brief Whether `F` can run in a worker with these arguments.
 *
 * `F` is a free function, a lambda without captures, or a function object that is empty or has a
 * codec. It is called with the arguments, or with a `std::stop_token` and the arguments. Each
 * argument is converted to its parameter's type first, as in a call, and travels as that:
 *
 *   - `T`, `const T&`, `T&&`: the decoded value
 *   - `std::span<const T>`, `std::string_view`: a view of the message, valid until the task ends
 *   - `const char*`: a C string; null stays null
 *
 * `T&` and `std::span<T>` are refused: a change would stay in the worker. So are pointers and
 * whatever else holds addresses, and results that own nothing.
 */
template <class F, class... Args>
concept submittable = detail::verdict_on<F, Args...>::reason == detail::refusal::none;

/// What a task gives back: the type that the function returns, without reference and const.
template <class F, class... Args>
requires submittable<F, Args...>
using task_result_t = std::remove_cvref_t<typename detail::task_of<F, Args...>::returned>;

} // namespace coproc
