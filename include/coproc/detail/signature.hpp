#pragma once

// The parameter types of a function, where they can be told.

#include <coproc/detail/fields.hpp>

#include <type_traits>

namespace coproc::detail {

/// Not known: overloaded or templated `operator()`.
struct unknown_parameters {};

/// Of C variadic functions, which do not know it themselves.
struct variadic_parameters {};

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
    };                                                                                             \
    template <class R, class C, class... P>                                                        \
    struct parameters_of_function<R (C::*)(P..., ...) qualifiers> {                                \
        using type = variadic_parameters;                                                          \
    };                                                                                             \
    template <class R, class C, class... P>                                                        \
    struct parameters_of_function<R (C::*)(P..., ...) qualifiers noexcept> {                       \
        using type = variadic_parameters;                                                          \
    };
COPROC_SIGNATURE()
COPROC_SIGNATURE(const)
COPROC_SIGNATURE(&)
COPROC_SIGNATURE(const&)
COPROC_SIGNATURE(&&)
COPROC_SIGNATURE(const&&)
#undef COPROC_SIGNATURE

template <class R, class... P>
struct parameters_of_function<R (*)(P...)> {
    using type = types<P...>;
};
template <class R, class... P>
struct parameters_of_function<R (*)(P...) noexcept> {
    using type = types<P...>;
};
template <class R, class... P>
struct parameters_of_function<R (*)(P..., ...)> {
    using type = variadic_parameters;
};
template <class R, class... P>
struct parameters_of_function<R (*)(P..., ...) noexcept> {
    using type = variadic_parameters;
};

/// For a decayed callable: `types<...>`, `unknown_parameters` or `variadic_parameters`. Of a member
/// function: without its object.
template <class F>
struct parameters_of : parameters_of_function<F> {};
template <class F>
requires requires { &F::operator(); }
struct parameters_of<F> : parameters_of_function<decltype(&F::operator())> {};

/// Of a pointer to a member; void of everything else.
template <class F>
struct class_of {
    using type = void;
};
template <class T, class C>
struct class_of<T C::*> {
    using type = C;
};

} // namespace coproc::detail
