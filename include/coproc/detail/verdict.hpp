#pragma once

// Whether a function and its arguments can be submitted, and if not, why and because of what.

#include <coproc/codec.hpp>
#include <coproc/detail/parameter.hpp>
#include <coproc/detail/signature.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <string_view>
#include <type_traits>
#include <utility>

namespace coproc::detail {

/// Why a submit does not compile. The sentences for people are in refusals.hpp.
enum class refusal {
    none,
    not_callable,
    member_function,
    variadic,
    function_state,
    changes_argument,
    pointer,
    function_wrapper,
    view,
    aggregate,
    no_codec,
    awaitable,
    result,
    argument_only,
};

// Where the reason lies, as a list of types that compilers print: the argument (counted from 1),
// its member (counted from 1) that is the reason, that one's member...
template <std::size_t Number, class T>
struct argument;
template <std::size_t Number, class T>
struct member;
template <class T>
struct element;
template <class T>
struct result_of_the_function;
template <class T>
struct state_of_the_function;
template <class... Steps>
struct in;

template <refusal Reason, class... Steps>
struct verdict {
    static constexpr refusal reason = Reason;
    using where = in<Steps...>;
};
using accepted = verdict<refusal::none>;

template <class Step, refusal Reason, class... Steps>
consteval auto inside(verdict<Reason, Steps...>) {
    return verdict<Reason, Step, Steps...>{};
}

/// The first of some verdicts that is a refusal.
template <class First, class... Rest>
consteval auto first_refusal(First first, Rest... rest) {
    if constexpr (First::reason != refusal::none || sizeof...(Rest) == 0) {
        return first;
    } else {
        return first_refusal(rest...);
    }
}

template <class T>
inline constexpr bool is_view = false;
template <class Char, class Traits>
inline constexpr bool is_view<std::basic_string_view<Char, Traits>> = true;
template <class T, std::size_t Extent>
inline constexpr bool is_view<std::span<T, Extent>> = true;

template <class T>
inline constexpr bool is_mutable_span = false;
template <class T, std::size_t Extent>
inline constexpr bool is_mutable_span<std::span<T, Extent>> = !std::is_const_v<T>;

/// Smart pointers, iterators, reference_wrapper.
template <class T>
concept points_elsewhere = requires(const T& value) {
    *value;
}
|| requires(const T& value) {
    typename T::type;
    { value.get() } -> std::same_as<typename T::type&>;
};

template <class T>
concept wraps_function = requires(const T& value) {
    typename T::result_type;
    value.target_type();
};

template <class T>
consteval refusal why_no_codec() {
    if constexpr (is_view<T>) {
        return refusal::view;
    } else if constexpr (std::is_pointer_v<T> || std::is_member_pointer_v<T> ||
                         std::is_null_pointer_v<T> || points_elsewhere<T>) {
        return refusal::pointer;
    } else if constexpr (wraps_function<T>) {
        return refusal::function_wrapper;
    } else if constexpr (std::is_array_v<T> || std::is_union_v<T> || std::is_aggregate_v<T>) {
        return refusal::aggregate;
    } else {
        return refusal::no_codec;
    }
}

template <class T>
concept has_codec = requires(encoder& out, decoder& in, const T& value) {
    codec<T>::encode(out, value);
    { codec<T>::decode(in) } -> std::same_as<T>;
};

template <class T>
concept has_parts = requires {
    typename codec<T>::parts;
};

/// Members of classes and tuples have numbers, elements of containers have none.
template <class T, std::size_t Number, class Part>
using step =
    std::conditional_t<reflectable<T> || tuple_like<T>, member<Number, Part>, element<Part>>;

template <class T, class... Seen>
consteval auto examine();

template <class T, class... Seen, class... Parts, std::size_t... I>
consteval auto examine_parts(types<Parts...>, std::index_sequence<I...>) {
    return first_refusal(
        accepted{}, inside<step<T, I + 1, Parts>>(examine<std::remove_cv_t<Parts>, Seen...>())...);
}

/// Among the types that a type is inside of: the outermost is a result.
struct in_result;

/// Judges a type by its codec and by those of its parts. A type inside itself adds nothing new.
template <class T, class... Seen>
consteval auto examine() {
    if constexpr ((std::is_same_v<T, Seen> || ...)) {
        return accepted{};
    } else if constexpr (argument_only<T> && (std::is_same_v<in_result, Seen> || ...)) {
        return verdict<refusal::argument_only>{};
    } else if constexpr (has_parts<T>) {
        return []<class... Parts>(types<Parts...> parts) {
            return examine_parts<T, Seen..., T>(parts, std::index_sequence_for<Parts...>{});
        }(typename codec<T>::parts{});
    } else if constexpr (has_codec<T>) {
        return accepted{};
    } else {
        return verdict<why_no_codec<T>()>{};
    }
}

} // namespace coproc::detail
