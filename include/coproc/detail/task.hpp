#pragma once

// A call as the worker will make it: which parameters travel, what comes back, and the verdict.

#include <coproc/detail/awaited.hpp>
#include <coproc/detail/callable.hpp>
#include <coproc/detail/verdict.hpp>

#include <cstddef>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace coproc::detail {

/// As an `auto` parameter takes it; a character array is a C string.
template <class Arg>
struct deduced {
    using type = std::decay_t<Arg>;
};
template <std::size_t N>
struct deduced<char (&)[N]> {
    using type = const char*;
};

/// The first parameters, one for each argument; without a signature, what `auto` would be.
template <class Parameters, class Taken, class... Args>
struct matched {
    using type = types<typename deduced<Args>::type...>;
};
template <class... Rest, class... Taken>
struct matched<types<Rest...>, types<Taken...>> {
    using type = types<Taken...>;
};
template <class Next, class... Rest, class... Taken, class Arg, class... Args>
struct matched<types<Next, Rest...>, types<Taken...>, Arg, Args...>
    : matched<types<Rest...>, types<Taken..., Next>, Args...> {};

template <class Parameters, std::size_t Count = 1>
struct without_first {
    using type = Parameters;
};
template <class First, class... Rest, std::size_t Count>
requires(Count > 0) struct without_first<types<First, Rest...>, Count>
    : without_first<types<Rest...>, Count - 1> {
};

/// GCC 12 denies that a function takes an array for a `std::span`; it knows that the array
/// converts.
template <class Parameters, class... Args>
inline constexpr bool all_convert = false;
template <class... P, class... Args>
requires(sizeof...(P) == sizeof...(Args)) inline constexpr bool all_convert<types<P...>, Args...> =
    (std::is_convertible_v<Args, P> && ...);

template <class F, class Parameters, class... First>
inline constexpr bool takes_first = false;
template <class F, class... P, class... First>
inline constexpr bool takes_first<F, types<P...>, First...> =
    std::is_invocable_v<F&, First..., P...>;

template <class... Parameters, class... Rest>
types<Parameters..., Rest...> joined(types<Parameters...>, types<Rest...>);

/// Describes `function(args...)`, or `function(stop_token, args...)` if only that compiles; of a
/// member function the object comes before both.
template <class F, class Object, class... Args>
struct shape_of;
template <class F, class... Object, class... Args>
struct shape_of<F, types<Object...>, Args...> {
    using signature = typename parameters_of<F>::type;

    template <class... Given>
    static constexpr bool takes = std::is_invocable_v<F&, Object..., Given...> ||
                                  (all_convert<signature, Given...> &&
                                   takes_first<F, signature, Object...>);
    static constexpr bool plain = takes<Args...>;
    static constexpr bool takes_token = !plain && takes<std::stop_token, Args...>;

    using offered = typename std::conditional_t<takes_token, without_first<signature>,
                                                std::type_identity<signature>>::type;
    using parameters = decltype(joined(types<the_object<Object&&>...>{},
                                       typename matched<offered, types<>, Args...>::type{}));
};

template <class F, class... Args>
struct call_shape : shape_of<F, types<>, Args...> {};
template <class F, class Object, class... Args>
requires std::is_member_function_pointer_v<F>
struct call_shape<F, Object, Args...> : shape_of<F, types<Object>, Args...> {
};

/// Whether the first argument is the object of the member function itself, not its address.
template <class F, class... Args>
inline constexpr bool given_object = false;
template <class F, class Object, class... Args>
inline constexpr bool given_object<F, Object, Args...> =
    std::is_base_of_v<typename class_of<std::remove_cv_t<F>>::type, std::remove_cvref_t<Object>>;

template <class P>
concept changeable = (std::is_lvalue_reference_v<P> &&
                      !std::is_const_v<std::remove_reference_t<P>>) ||
                     is_mutable_span<std::remove_cvref_t<P>>;

/// What a verdict names a parameter after.
template <class P>
struct spelled {
    using type = P;
};
template <class Object>
struct spelled<the_object<Object>> {
    using type = Object;
};

template <class P>
consteval auto examine_parameter() {
    using value = std::remove_cvref_t<typename spelled<P>::type>;
    if constexpr (changeable<P>) {
        return verdict<refusal::changes_argument>{};
    } else if constexpr (std::is_same_v<value, const char*>) {
        return accepted{};
    } else if constexpr (is_view<value>) {
        return []<class T>(types<T>) {
            return inside<element<T>>(examine<T>());
        }(typename parameter<P>::parts{});
    } else {
        return examine<value>();
    }
}

template <class... P, std::size_t... I>
consteval auto examine_parameters(types<P...>, std::index_sequence<I...>) {
    return first_refusal(
        accepted{}, inside<argument<I + 1, typename spelled<P>::type>>(examine_parameter<P>())...);
}

/// What travels with the function itself: nothing, or the state of a function object. Pointers and
/// names are no state.
template <class F>
inline constexpr bool has_state =
    !std::is_pointer_v<F> && !std::is_member_pointer_v<F> && !is_named<F> &&
    !(std::is_empty_v<F> && std::is_default_constructible_v<F>);

template <class F>
consteval auto examine_function() {
    if constexpr (!has_state<F>) {
        return accepted{};
    } else if constexpr (has_parts<F>) { // a member is to blame
        return inside<state_of_the_function<F>>(examine<F>());
    } else if constexpr (examine<F>().reason == refusal::none) {
        return accepted{};
    } else {
        return verdict < wraps_function<F> ? refusal::function_wrapper : refusal::function_state,
               state_of_the_function < F >> {};
    }
}

template <class R>
consteval auto examine_result() {
    using value = std::remove_cvref_t<R>;
    if constexpr (std::is_void_v<R>) {
        return accepted{};
    } else {
        using found = decltype(examine<value, in_result>());
        constexpr bool dangles =
            found::reason == refusal::pointer || found::reason == refusal::view;
        if constexpr (dangles) {
            return []<refusal Reason, class... Steps>(verdict<Reason, Steps...>) {
                return verdict<refusal::result, result_of_the_function<R>, Steps...>{};
            }
            (found{});
        } else {
            return inside<result_of_the_function<R>>(found{});
        }
    }
}

template <class F, class... Values>
struct made_call {
    static constexpr bool compiles = std::is_invocable_v<F&, Values...>;
    using result = std::invoke_result<F&, Values...>;
};

/// The call that the worker makes: the parameters travel by value.
template <class F, bool TakesToken, class... Values>
struct worker_call : made_call<F, Values...> {};
template <class F, class... Values>
struct worker_call<F, true, Values...> : made_call<F, std::stop_token, Values...> {};
template <class F, class Object, class... Values>
requires std::is_member_function_pointer_v<F>
struct worker_call<F, true, Object, Values...> : made_call<F, Object, std::stop_token, Values...> {
};

template <class F, class... Args>
consteval auto judge() {
    using called = callee_t<F>;
    using shape = call_shape<called, Args...>;
    if constexpr (std::is_same_v<typename parameters_of<called>::type, variadic_parameters>) {
        return verdict<refusal::variadic>{};
    } else if constexpr (std::is_member_function_pointer_v<called> &&
                         !given_object<called, Args...>) {
        return verdict<refusal::member_function>{};
    } else if constexpr (std::is_member_object_pointer_v<called> ||
                         (!shape::plain && !shape::takes_token)) {
        return verdict<refusal::not_callable>{};
    } else {
        return []<class... P>(types<P...> parameters) {
            constexpr auto first =
                first_refusal(examine_function<F>(),
                              examine_parameters(parameters, std::index_sequence_for<P...>{}));
            using made = worker_call<called, shape::takes_token, typename passed<P>::type...>;
            if constexpr (first.reason != refusal::none) {
                return first;
            } else if constexpr (!made::compiles) { // `auto&` binds to the caller's object only
                return verdict<refusal::changes_argument>{};
            } else {
                using returned = awaited<typename made::result::type>;
                if constexpr (returned::elsewhere) {
                    return verdict<refusal::awaitable>{};
                } else {
                    return examine_result<typename returned::type>();
                }
            }
        }(typename shape::parameters{});
    }
}

/// A bound function taken apart: the function, and all that it is called with.
template <class F, class... Args>
struct flat {
    using type = types<std::decay_t<F>, Args...>;
};
template <class F, class Bound, class... Args>
struct flat_bound;
template <class F, class G, class... B, class... Args>
struct flat_bound<F, bound<G, B...>, Args...>
    : flat<as_part_of_t<F, G>, as_part_of_t<F, B>..., Args...> {};
template <class F, class... Args>
requires is_bound<std::remove_cvref_t<F>>
struct flat<F, Args...> : flat_bound<F, std::remove_cvref_t<F>, Args...> {
};

template <class Flat>
struct judged;
template <class F, class... Args>
struct judged<types<F, Args...>> {
    using verdict = decltype(judge<F, Args...>());
};

template <class F, class... Args>
using verdict_on = typename judged<typename flat<F, Args...>::type>::verdict;

/// What `call` needs to know about a function that can be submitted.
template <class Flat>
struct description;
template <class F, class... Args>
struct description<types<F, Args...>> {
    using function = F;
    using shape = call_shape<callee_t<F>, Args...>;
    using parameters = typename shape::parameters;
    using returned = typename awaited<typename decltype([]<class... P>(types<P...>) {
        return worker_call<callee_t<F>, shape::takes_token, typename passed<P>::type...>{};
    }(parameters{}))::result::type>::type;
};

template <class F, class... Args>
struct task_of;
template <class F, class... Args>
requires(verdict_on<F, Args...>::reason == refusal::none) struct task_of<F, Args...>
    : description<typename flat<F, Args...>::type> {
};

} // namespace coproc::detail
