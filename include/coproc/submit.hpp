#pragma once

// What can be submitted.

#include <coproc/call.hpp>
#include <coproc/codec.hpp>
#include <coproc/codecs/associative.hpp>
#include <coproc/codecs/chrono.hpp>
#include <coproc/codecs/optional.hpp>
#include <coproc/codecs/path.hpp>
#include <coproc/codecs/string.hpp>
#include <coproc/codecs/tuple.hpp>
#include <coproc/codecs/vector.hpp>
#include <coproc/detail/deleted.hpp>
#include <coproc/detail/encoded_call.hpp>
#include <coproc/detail/exported.hpp>
#include <coproc/detail/task.hpp>

#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc {

/**
 * @brief Whether `F` can run in a worker with these arguments.
 *
 * `F` is one of
 *   - a free function, a lambda without captures, or a function object that is empty or has a codec
 *   - a member function; its object is the first argument, and the worker calls it for a copy
 *   - what fn, bind_front, unchecked_closure or named gave
 *
 * It is called with the arguments, or with a `std::stop_token` and the arguments. Each argument is
 * converted to its parameter's type first, as in a call, and travels as that:
 *
 *   - `T`, `const T&`, `T&&`: the decoded value
 *   - `std::span<const T>`, `std::string_view`: a view of the message, valid until the task ends
 *   - `const char*`: a C string; null stays null
 *
 * `T&` and `std::span<T>` are refused: a change would stay in the worker. So are pointers and
 * whatever else holds addresses, and results that own nothing.
 *
 * A function that returns `asio::awaitable<R>` is a coroutine: the worker runs it to its end, on a
 * loop that is made for it, and the caller gets the `R`. docs/functions.md says the rest.
 */
template <class F, class... Args>
concept submittable = detail::verdict_on<F, Args...>::reason == detail::refusal::none;

/// What a task gives back: the type that the function returns, without reference and const; `R` of
/// an `asio::awaitable<R>`.
template <class F, class... Args>
requires submittable<F, Args...>
using task_result_t = std::remove_cvref_t<typename detail::task_of<F, Args...>::returned>;

/**
 * @brief A function in a type: `executor.submit(coproc::fn<fib>, 30)`.
 *
 * For functions and member functions: it is an empty object that can be stored, passed on and
 * called, and failures know the function's name even in a stripped program.
 */
template <auto Function>
inline constexpr detail::function_constant<Function> fn;

/**
 * @brief A function with its first arguments, as of std::bind_front.
 *
 * In a submit the values travel like arguments: each as the type of its parameter, through its
 * codec. What cannot be an argument is refused by submit, and counts as one of the first.
 *
 * @param function  What submit takes, member functions and bound functions included.
 * @param values    Copied or moved into the object.
 */
template <class F, class... Bound>
auto bind_front(F function, Bound... values) {
    return detail::bound<F, Bound...>(std::move(function),
                                      std::tuple<Bound...>(std::move(values)...));
}

/**
 * @brief Lets a lambda with captures travel as its bytes.
 *
 * For captures of numbers and of aggregates of them. Nothing is checked: what captures an address,
 * as `[&]` does, compiles, and in the worker the address means nothing. bind_front is the safe way.
 */
template <class Closure>
requires std::is_trivially_copyable_v<Closure>
auto unchecked_closure(Closure closure) { return detail::unchecked<Closure>(std::move(closure)); }

// clang-format off
template <class Closure> requires(!std::is_trivially_copyable_v<Closure>) void unchecked_closure(Closure) COPROC_DELETE("a closure that captures more than plain data (a std::string, a std::vector, a smart pointer) is more than its bytes: pass the values through coproc::bind_front(f, values...)");
// clang-format on

/**
 * @brief A function that the worker knows by a name.
 *
 *     coproc::result<int> area = co_await executor.submit(coproc::named<int(shape)>("area"), s);
 *
 * For workers that are another program: nothing of this one has to be in it but the types. It must
 * have exported the function with COPROC_EXPORT(area), with parameters and a result that look the
 * same in messages: `T`, `const T&` and `T&&` do, so do std::string and std::string_view, and
 * std::vector<T> and std::span<const T>; a leading std::stop_token and the `asio::awaitable` of a
 * coroutine do not count. Otherwise, and if there is no such name, the task fails with
 * errc::unknown_function and does not run.
 *
 * A shared_array that is given for a `std::span<const T>` needs an exported function that takes a
 * span, too: one that takes a std::vector<T> fails with errc::decode_failed.
 */
template <class Signature>
requires std::is_function_v<Signature>
auto named(std::string name) { return detail::named_function<Signature>{std::move(name)}; }

template <class F, class... Args>
requires(!std::is_same_v<std::remove_cvref_t<F>, call>) call::call(F&& function, Args&&... args) {
    static_assert(submittable<F, Args...>,
                  "an initializer must be such that executor::submit takes it with these arguments "
                  "(submit(f, args...) says what is wrong)");
    const std::decay_t<F> callee(std::forward<F>(function));
    encoder arguments;
    detail::call_of<F, Args...>::encode(arguments, callee, std::forward<Args>(args)...);
    encoded_ = detail::make_call(detail::call_of<F, Args...>::target_of(callee), arguments);
}

} // namespace coproc
