#pragma once

// A call as the worker will make it: which parameters travel, what comes back, and the verdict.

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

template <class Parameters>
struct without_first {
    using type = Parameters;
};
template <class First, class... Rest>
struct without_first<types<First, Rest...>> {
    using type = types<Rest...>;
};

/// GCC 12 denies that a function takes an array for a `std::span`; it knows that the array
/// converts.
template <class Parameters, class... Args>
inline constexpr bool all_convert = false;
template <class... P, class... Args>
requires(sizeof...(P) == sizeof...(Args)) inline constexpr bool all_convert<types<P...>, Args...> =
    (std::is_convertible_v<Args, P> && ...);

/// Describes `function(args...)`, or `function(stop_token, args...)` if only that compiles.
template <class F, class... Args>
struct call_shape {
    using signature = typename parameters_of<F>::type;

    static constexpr bool plain =
        std::is_invocable_v<F&, Args...> || all_convert<signature, Args...>;
    static constexpr bool takes_token =
        !plain && (std::is_invocable_v<F&, std::stop_token, Args...> ||
                   all_convert<signature, std::stop_token, Args...>);

    using offered = typename std::conditional_t<takes_token, without_first<signature>,
                                                std::type_identity<signature>>::type;
    using parameters = typename matched<offered, types<>, Args...>::type;
};

template <class P>
concept changeable = (std::is_lvalue_reference_v<P> &&
                      !std::is_const_v<std::remove_reference_t<P>>) ||
                     is_mutable_span<std::remove_cvref_t<P>>;

template <class P>
consteval auto examine_parameter() {
    using value = std::remove_cvref_t<P>;
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
    return first_refusal(accepted{}, inside<argument<I + 1, P>>(examine_parameter<P>())...);
}

/// What travels with the function itself: nothing, or the state of a function object.
template <class F>
inline constexpr bool has_state =
    !std::is_pointer_v<F> && !(std::is_empty_v<F> && std::is_default_constructible_v<F>);

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
        using found = decltype(examine<value>());
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

/// The call that the worker makes: the parameters travel by value.
template <class F, bool TakesToken, class... P>
struct worker_call {
    static constexpr bool compiles = std::is_invocable_v<F&, P&&...>;
    using result = std::invoke_result<F&, P&&...>;
};
template <class F, class... P>
struct worker_call<F, true, P...> {
    static constexpr bool compiles = std::is_invocable_v<F&, std::stop_token, P&&...>;
    using result = std::invoke_result<F&, std::stop_token, P&&...>;
};

template <class F, class... Args>
consteval auto judge() {
    if constexpr (std::is_member_pointer_v<F>) {
        return verdict<refusal::member_function>{};
    } else {
        using shape = call_shape<F, Args...>;
        if constexpr (!shape::plain && !shape::takes_token) {
            return verdict<refusal::not_callable>{};
        } else {
            return []<class... P>(types<P...> parameters) {
                constexpr auto first =
                    first_refusal(examine_function<F>(),
                                  examine_parameters(parameters, std::index_sequence_for<P...>{}));
                using call = worker_call<F, shape::takes_token, P...>;
                if constexpr (first.reason != refusal::none) {
                    return first;
                } else if constexpr (!call::compiles) { // `auto&` binds to the caller's object only
                    return verdict<refusal::changes_argument>{};
                } else {
                    return examine_result<typename call::result::type>();
                }
            }(typename shape::parameters{});
        }
    }
}

template <class F, class... Args>
using verdict_on = decltype(judge<std::decay_t<F>, Args...>());

/// What `call` needs to know about a function that can be submitted.
template <class F, class... Args>
struct task_of;
template <class F, class... Args>
requires(verdict_on<F, Args...>::reason == refusal::none) struct task_of<F, Args...> {
    using function = std::decay_t<F>;
    using shape = call_shape<function, Args...>;
    using parameters = typename shape::parameters;
    using returned = typename decltype([]<class... P>(types<P...>) {
        return worker_call<function, shape::takes_token, P...>{};
    }(parameters{}))::result::type;
};

} // namespace coproc::detail
