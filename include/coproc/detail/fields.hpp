#pragma once

// What an aggregate is made of, and which aggregates can be taken apart.

#include <coproc/detail/field_bindings.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace coproc::detail {

/// Converts to everything but `T`, so that initialising `T` with one of them copies nothing.
template <class T>
struct any_but {
    template <class U>
    requires(!std::is_same_v<U, T>) operator U() const noexcept;
};

/// Converts to the base classes of `T` only.
template <class T>
struct any_base_of {
    template <class U>
    requires(std::is_base_of_v<U, T> && !std::is_same_v<U, T>) operator U() const noexcept;
};

/// Converts to nothing: what takes it takes everything.
struct unconvertible {};

template <std::size_t, class T>
using repeat = T;

template <class T, class First, std::size_t... Rest>
consteval bool initialised_by(std::index_sequence<Rest...>) {
    return requires { T{First{}, repeat<Rest, any_but<T>>{}...}; };
}

/// Whether `T{First, x, ..., x}` compiles with `Count` initialisers.
template <class T, std::size_t Count, class First = any_but<T>>
consteval bool takes() {
    if constexpr (Count == 0) {
        return requires { T{}; };
    } else {
        return initialised_by<T, First>(std::make_index_sequence<Count - 1>{});
    }
}

/// With how many initialisers `T{...}` compiles at most; arrays count with all their elements. No
/// answer (nothing compiles) is SIZE_MAX.
template <class T, std::size_t Count = 0, std::size_t Found = SIZE_MAX>
consteval std::size_t most_initialisers() {
    // Each field may be a bit-field; one more than is allowed is too many.
    constexpr std::size_t limit = sizeof(T) * 8 < max_fields + 1 ? sizeof(T) * 8 : max_fields + 1;
    if constexpr (Count > limit) {
        return Found;
    } else if constexpr (takes<T, Count>()) {
        return most_initialisers<T, Count + 1, Count>();
    } else if constexpr (Found == SIZE_MAX) { // the last fields may have no default
        return most_initialisers<T, Count + 1, Found>();
    } else {
        return Found;
    }
}

/// In an aggregate with base classes the first initialiser is that of a base.
template <class T, std::size_t Count>
consteval bool has_base() {
    if constexpr (Count == 0) {
        return false;
    } else {
        return takes<T, Count, any_base_of<T>>() && !takes<T, Count, unconvertible>();
    }
}

/// Whether `T{x, ..., {}, x, ...}` compiles with so many initialisers around the braces.
template <class T, std::size_t Before, std::size_t After>
consteval bool takes_braces_after() {
    return []<std::size_t... B, std::size_t... A>(std::index_sequence<B...>,
                                                  std::index_sequence<A...>) {
        return requires { T{repeat<B, any_but<T>>{}..., {}, repeat<A, any_but<T>>{}...}; };
    }
    (std::make_index_sequence<Before>{}, std::make_index_sequence<After>{});
}

/// An array takes as many initialisers as it has elements, but only one if that one has braces:
/// then fewer than `Count - 1` are left for the other fields.
template <class T, std::size_t Count, std::size_t I>
consteval bool array_at() {
    if constexpr (takes_braces_after<T, I, Count - I - 1>()) {
        return false;
    } else {
        return []<std::size_t... Fewer>(std::index_sequence<Fewer...>) {
            return (takes_braces_after<T, I, Fewer>() || ...);
        }
        (std::make_index_sequence<Count - I - 1>{});
    }
}

template <class T, std::size_t Count>
consteval bool has_array() {
    return []<std::size_t... I>(std::index_sequence<I...>) {
        return (array_at<T, Count, I>() || ...);
    }
    (std::make_index_sequence<Count>{});
}

/// Structured bindings see the elements of these and not the fields.
template <class T>
concept tuple_like = requires {
    std::tuple_size<T>::value;
};

/// The size of a class with these fields, if each has an address of its own.
template <class... Fields>
consteval std::size_t size_with(types<Fields...>) {
    std::size_t size = 0;
    ((size = (size + alignof(Fields) - 1) / alignof(Fields) * alignof(Fields) +
             (std::is_empty_v<Fields> ? 0 : sizeof(Fields))),
     ...);
    return size;
}

template <class... Fields>
consteval bool any_reference(types<Fields...>) {
    return (std::is_reference_v<Fields> || ...);
}

template <class... Fields>
types<std::remove_cv_t<Fields>...> without_cv(types<Fields...>);

/// The types of the fields of an aggregate that has `Count` of them, without const and volatile.
template <class T, std::size_t Count>
using types_of_fields =
    decltype(without_cv(visit_fields<Count>(std::declval<const T&>(), types_only{})));

/// What speaks against taking an aggregate apart. Anonymous unions, and bit-fields among fields
/// that leave room for them, cannot be told beforehand: there the compiler's own message names
/// them.
enum class obstacle {
    none,
    not_an_aggregate,
    too_many_fields,
    base_class,
    c_array,
    reference,
    bit_field
};

template <class T, std::size_t Count>
consteval obstacle find_obstacle_in_fields() {
    if constexpr (has_base<T, Count>()) {
        return obstacle::base_class;
    } else if constexpr (has_array<T, Count>()) {
        return obstacle::c_array;
    } else {
        using found = types_of_fields<T, Count>;
        if constexpr (any_reference(found{})) {
            return obstacle::reference;
        } else if constexpr (size_with(found{}) > sizeof(T) && !std::is_empty_v<T>) {
            return obstacle::bit_field;
        } else {
            return obstacle::none;
        }
    }
}

template <class T>
consteval obstacle find_obstacle() {
    if constexpr (!std::is_class_v<T> || tuple_like<T> || !std::is_aggregate_v<T> ||
                  !std::is_move_constructible_v<T>) {
        return obstacle::not_an_aggregate;
    } else {
        constexpr std::size_t count = most_initialisers<T>();
        if constexpr (count == SIZE_MAX) {
            return obstacle::not_an_aggregate;
        } else if constexpr (count > max_fields) {
            return obstacle::too_many_fields;
        } else {
            return find_obstacle_in_fields<T, count>();
        }
    }
}

/// Aggregates whose fields can be listed.
template <class T>
concept reflectable = find_obstacle<T>()
== obstacle::none;

/// The types of the fields, as `types<...>`.
template <reflectable T>
using fields = types_of_fields<T, most_initialisers<T>()>;

/// Calls `visit` with all fields.
template <reflectable T, class Visit>
constexpr decltype(auto) visit_fields(const T& value, Visit&& visit) {
    return visit_fields<most_initialisers<T>()>(value, visit);
}

} // namespace coproc::detail
