#pragma once

// The parameter types of a function, where they can be told.

#include <coproc/detail/fields.hpp>

#include <type_traits>

namespace coproc::detail {

/// Not known: overloaded or templated `operator()`, C variadic functions.
struct unknown_parameters {};

template <class F>
struct parameters_of_function {
    using type = unknown_parameters;
};

#define COPROC_SIGNATURE(qualifiers)                                                               \
    template <class R, class C, class... P>                                                        \
    struct parameters_of_function<R (C::*)(P...) qualifiers> {                                     \
        using type = types<P...>;                                                                  \
    };                                                                                             \
    template <class R, class C, class... P>                                                        \
    struct parameters_of_function<R (C::*)(P...) qualifiers noexcept> {                            \
        using type = types<P...>;                                                                  \
    };
COPROC_SIGNATURE()
COPROC_SIGNATURE(const)
COPROC_SIGNATURE(&)
COPROC_SIGNATURE(const&)
#undef COPROC_SIGNATURE

template <class R, class... P>
struct parameters_of_function<R (*)(P...)> {
    using type = types<P...>;
};
template <class R, class... P>
struct parameters_of_function<R (*)(P...) noexcept> {
    using type = types<P...>;
};

/// For a decayed callable: `types<...>` or `unknown_parameters`.
template <class F>
struct parameters_of : parameters_of_function<F> {};
template <class F>
requires requires { &F::operator(); }
struct parameters_of<F> : parameters_of_function<decltype(&F::operator())> {};

} // namespace coproc::detail
