#pragma once

// The sentences that a compiler prints when something cannot be submitted.

#include <coproc/detail/task.hpp>

namespace coproc {

struct task_options;

namespace detail {

// The overloads that a refused submit finds. They are deleted, so that a submit that does not
// compile is a soft failure in templates; compilers print the line on which the overload is
// declared, which is why sentence and name share one. `Where` is printed too: it names the argument
// and the member. The `...` after the arguments makes the parameter lists differ from those of the
// executor's own submit: clang before 16 lets a derived class hide what differs in its constraints
// only.
#if defined(__cpp_deleted_function)
#define COPROC_DELETE(sentence) = delete (sentence)
#else
#define COPROC_DELETE(sentence) = delete
#endif
#define COPROC_REFUSE(Reason, sentence)                                                            \
    template <class F, class... Args, class Where = typename verdict_on<F, Args...>::where>        \
    requires(refused_for<F, Args...> == refusal::Reason) void submit(F&&, Args&&..., ...)          \
        COPROC_DELETE(sentence);                                                                   \
    template <class F, class... Args, class Where = typename verdict_on<F, Args...>::where>        \
    requires(refused_for<F, Args...> == refusal::Reason) void submit(task_options, F&&, Args&&..., \
                                                                     ...) COPROC_DELETE(sentence);
#define COPROC_REFUSE_ANY(sentence)                                                                \
    void submit(...) COPROC_DELETE(sentence);                                                      \
    void submit(task_options, ...) COPROC_DELETE(sentence);

template <class F, class... Args>
inline constexpr refusal refused_for = verdict_on<F, Args...>::reason;
/// Options come first in the other form of submit.
template <class... Args>
inline constexpr refusal refused_for<task_options, Args...> = refusal::none;
template <class... Args>
inline constexpr refusal refused_for<task_options&, Args...> = refusal::none;
template <class... Args>
inline constexpr refusal refused_for<const task_options&, Args...> = refusal::none;

/// For the executor to derive from, with `using refusals::submit;`.
class refusals {
public:
    // clang-format off
    COPROC_REFUSE(not_callable, "the function cannot be called with these arguments")
    COPROC_REFUSE(member_function, "a member function needs its object: pass a lambda without captures that takes the object as a parameter")
    COPROC_REFUSE(function_state, "a lambda with captures, or a function object without a codec, cannot be sent ([&] would carry dangling addresses): pass the values as arguments, or as members of a function object")
    COPROC_REFUSE(changes_argument, "the change would stay in the worker: take a value, const T& or std::span<const T>, and return what has changed")
    COPROC_REFUSE(pointer, "an address means nothing in another process: pass the object itself, and std::vector or std::span<const T> for an array")
    COPROC_REFUSE(function_wrapper, "std::function cannot be sent: pass the function itself")
    COPROC_REFUSE(view, "nothing owns what a view inside another object looks at: use std::string or std::vector there")
    COPROC_REFUSE(aggregate, "only aggregates without C arrays, base classes, bit-fields, unions and references (and of at most 64 fields) need no code: use std::array, or specialise coproc::codec")
    COPROC_REFUSE(no_codec, "the type has no codec: specialise coproc::codec for it")
    COPROC_REFUSE(result, "nothing owns what the result points to: return std::string, std::vector or the object itself")
    COPROC_REFUSE_ANY("the function is overloaded or a template, so its name alone means none: pass a lambda that calls it, [](int x) { return f(x); } (or the options in front of it have no such field)")
    // clang-format on
};

#undef COPROC_REFUSE_ANY
#undef COPROC_REFUSE
#undef COPROC_DELETE

} // namespace detail
} // namespace coproc
