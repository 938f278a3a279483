#pragma once

// The sentences that a compiler prints when something cannot be submitted.

#include <coproc/detail/deleted.hpp>
#include <coproc/detail/task.hpp>

namespace coproc {

struct task_options;

namespace detail {

// The overloads that a refused submit finds. They are deleted, so that a submit that does not
// compile is a soft failure in templates; compilers print the line on which the overload is
// declared, which is why sentence and name share one. No macro may stand around both: in a program
// that includes much, as all of Asio, GCC does not tell where a macro was used. `Where` is printed
// too: it names the argument and the member. The `...` after the arguments makes the parameter
// lists differ from those of the executor's own submit: clang before 16 lets a derived class hide
// what differs in its constraints only.
template <class F, class... Args>
inline constexpr refusal refused_for = verdict_on<F, Args...>::reason;
/// Options come first in the other form of submit.
template <class... Args>
inline constexpr refusal refused_for<task_options, Args...> = refusal::none;
template <class... Args>
inline constexpr refusal refused_for<task_options&, Args...> = refusal::none;
template <class... Args>
inline constexpr refusal refused_for<const task_options&, Args...> = refusal::none;

template <class F, class... Args>
using where_of = typename verdict_on<F, Args...>::where;

/// For the executor to derive from, with `using refusals::submit;`.
class refusals {
public:
    // clang-format off
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::not_callable) void submit(F&&, Args&&..., ...) COPROC_DELETE("the function cannot be called with these arguments");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::not_callable) void submit(task_options, F&&, Args&&..., ...) COPROC_DELETE("the function cannot be called with these arguments");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::member_function) void submit(F&&, Args&&..., ...) COPROC_DELETE("a member function needs its object as the first argument, and an address of it means nothing in another process: pass the object, it is copied");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::member_function) void submit(task_options, F&&, Args&&..., ...) COPROC_DELETE("a member function needs its object as the first argument, and an address of it means nothing in another process: pass the object, it is copied");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::variadic) void submit(F&&, Args&&..., ...) COPROC_DELETE("nothing tells a worker what a C variadic function takes: pass a lambda that calls it, [](const char* text) { return std::printf(text); }");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::variadic) void submit(task_options, F&&, Args&&..., ...) COPROC_DELETE("nothing tells a worker what a C variadic function takes: pass a lambda that calls it, [](const char* text) { return std::printf(text); }");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::function_state) void submit(F&&, Args&&..., ...) COPROC_DELETE("a lambda with captures, or a function object without a codec, cannot be sent ([&] would carry dangling addresses): pass the values as arguments or through coproc::bind_front(f, values...), or vouch for the bytes with coproc::unchecked_closure(f)");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::function_state) void submit(task_options, F&&, Args&&..., ...) COPROC_DELETE("a lambda with captures, or a function object without a codec, cannot be sent ([&] would carry dangling addresses): pass the values as arguments or through coproc::bind_front(f, values...), or vouch for the bytes with coproc::unchecked_closure(f)");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::changes_argument) void submit(F&&, Args&&..., ...) COPROC_DELETE("the change would stay in the worker: take a value, const T& or std::span<const T>, and return what has changed");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::changes_argument) void submit(task_options, F&&, Args&&..., ...) COPROC_DELETE("the change would stay in the worker: take a value, const T& or std::span<const T>, and return what has changed");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::pointer) void submit(F&&, Args&&..., ...) COPROC_DELETE("an address means nothing in another process: pass the object itself, and std::vector or std::span<const T> for an array");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::pointer) void submit(task_options, F&&, Args&&..., ...) COPROC_DELETE("an address means nothing in another process: pass the object itself, and std::vector or std::span<const T> for an array");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::function_wrapper) void submit(F&&, Args&&..., ...) COPROC_DELETE("std::function cannot be sent: pass the function itself");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::function_wrapper) void submit(task_options, F&&, Args&&..., ...) COPROC_DELETE("std::function cannot be sent: pass the function itself");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::view) void submit(F&&, Args&&..., ...) COPROC_DELETE("nothing owns what a view inside another object looks at: use std::string or std::vector there");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::view) void submit(task_options, F&&, Args&&..., ...) COPROC_DELETE("nothing owns what a view inside another object looks at: use std::string or std::vector there");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::aggregate) void submit(F&&, Args&&..., ...) COPROC_DELETE("only aggregates without C arrays, base classes, bit-fields, unions and references (and of at most 64 fields) need no code: use std::array, or specialise coproc::codec");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::aggregate) void submit(task_options, F&&, Args&&..., ...) COPROC_DELETE("only aggregates without C arrays, base classes, bit-fields, unions and references (and of at most 64 fields) need no code: use std::array, or specialise coproc::codec");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::no_codec) void submit(F&&, Args&&..., ...) COPROC_DELETE("the type has no codec: include the header in coproc/codecs/ that is named after it, if it is there, or specialise coproc::codec for it");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::no_codec) void submit(task_options, F&&, Args&&..., ...) COPROC_DELETE("the type has no codec: include the header in coproc/codecs/ that is named after it, if it is there, or specialise coproc::codec for it");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::awaitable) void submit(F&&, Args&&..., ...) COPROC_DELETE("a coroutine function must return asio::awaitable<R>, without an executor of its own: the worker runs it on asio::any_io_executor");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::awaitable) void submit(task_options, F&&, Args&&..., ...) COPROC_DELETE("a coroutine function must return asio::awaitable<R>, without an executor of its own: the worker runs it on asio::any_io_executor");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::result) void submit(F&&, Args&&..., ...) COPROC_DELETE("nothing owns what the result points to: return std::string, std::vector or the object itself");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::result) void submit(task_options, F&&, Args&&..., ...) COPROC_DELETE("nothing owns what the result points to: return std::string, std::vector or the object itself");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::argument_only) void submit(F&&, Args&&..., ...) COPROC_DELETE("a shared_array or a progress_sink travels to a task and not back: return the values, in a std::vector if there are many");
    template <class F, class... Args, class Where = where_of<F, Args...>> requires(refused_for<F, Args...> == refusal::argument_only) void submit(task_options, F&&, Args&&..., ...) COPROC_DELETE("a shared_array or a progress_sink travels to a task and not back: return the values, in a std::vector if there are many");
    void submit(...) COPROC_DELETE("the function is overloaded or a template, so its name alone means none: pass a lambda that calls it, [](int x) { return f(x); }, or cast the name to the type of the one that is meant (or the options in front of it have no such field, or one that takes another type)");
    void submit(task_options, ...) COPROC_DELETE("the function is overloaded or a template, so its name alone means none: pass a lambda that calls it, [](int x) { return f(x); }, or cast the name to the type of the one that is meant (or the options in front of it have no such field, or one that takes another type)");
    // clang-format on
};

} // namespace detail
} // namespace coproc
