#pragma once

// The kinds of functions that are more than a pointer or an object: fn, bind_front,
// unchecked_closure and named. The functions that make them are in submit.hpp.

#include <coproc/codec.hpp>
#include <coproc/detail/signature.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::detail {

// ---- fn

/// As the compiler spells it: "[with auto Function = images::resize]", "[Function = &resize]".
template <auto Function>
consteval std::string_view spelled_with() {
    return __PRETTY_FUNCTION__;
}

/// The constant's own text out of that.
consteval std::string_view spelled_constant(std::string_view text) {
    constexpr std::string_view before = "Function = ";
    text.remove_prefix(text.find(before) + before.size());
    const std::size_t alias = text.find("; "); // GCC explains std::string_view after it
    text =
        alias != std::string_view::npos ? text.substr(0, alias) : text.substr(0, text.size() - 1);
    return text.starts_with('&') ? text.substr(1) : text;
}

/// Ends with a zero.
template <auto Function>
inline constexpr auto name_of_constant = [] {
    constexpr std::string_view name = spelled_constant(spelled_with<Function>());
    std::array<char, name.size() + 1> copy{};
    name.copy(copy.data(), name.size());
    return copy;
}();

/// Calls the function that its type names.
template <auto Function>
struct function_constant {
    template <class... Args>
    requires std::is_invocable_v<decltype((Function)), Args...>
    constexpr decltype(auto) operator()(Args&&... args) const
        noexcept(std::is_nothrow_invocable_v<decltype((Function)), Args...>) {
        return std::invoke(Function, std::forward<Args>(args)...);
    }
};

template <class F>
inline constexpr const char* name_carried_by = nullptr;
template <auto Function>
inline constexpr const char*
    name_carried_by<function_constant<Function>> = name_of_constant<Function>.data();

// ---- bind_front

/// A function with its first arguments. In a submit it is taken apart: what is bound travels like
/// the arguments that follow it.
template <class F, class... Bound>
class bound {
public:
    explicit bound(F function, std::tuple<Bound...> values)
        : function_(std::move(function)), values_(std::move(values)) {}

    template <class Self, class Use>
    static decltype(auto) apply(Self&& self, Use&& use) {
        return std::apply(
            [&](auto&&... values) -> decltype(auto) {
                return use(std::forward<Self>(self).function_,
                           std::forward<decltype(values)>(values)...);
            },
            std::forward<Self>(self).values_);
    }

    template <class... Args>
    requires std::is_invocable_v<F&, Bound&..., Args...>
    decltype(auto) operator()(Args&&... args) & { return call(*this, std::forward<Args>(args)...); }
    template <class... Args>
    requires std::is_invocable_v<const F&, const Bound&..., Args...>
    decltype(auto) operator()(Args&&... args) const& {
        return call(*this, std::forward<Args>(args)...);
    }
    template <class... Args>
    requires std::is_invocable_v<F, Bound..., Args...>
    decltype(auto) operator()(Args&&... args) && {
        return call(std::move(*this), std::forward<Args>(args)...);
    }

private:
    template <class Self, class... Args>
    static decltype(auto) call(Self&& self, Args&&... args) {
        return apply(std::forward<Self>(self),
                     [&](auto&& function, auto&&... values) -> decltype(auto) {
                         return std::invoke(std::forward<decltype(function)>(function),
                                            std::forward<decltype(values)>(values)...,
                                            std::forward<Args>(args)...);
                     });
    }

    F function_;
    std::tuple<Bound...> values_;
};

template <class F>
inline constexpr bool is_bound = false;
template <class F, class... Bound>
inline constexpr bool is_bound<bound<F, Bound...>> = true;

/// `Part` as a member of what is given as a `Whole&&`.
template <class Whole, class Part>
struct as_part_of {
    using type = Part;
};
template <class Whole, class Part>
struct as_part_of<const Whole, Part> {
    using type = const Part;
};
template <class Whole, class Part>
struct as_part_of<Whole&, Part> {
    using type = Part&;
};
template <class Whole, class Part>
struct as_part_of<const Whole&, Part> {
    using type = const Part&;
};
template <class Whole, class Part>
using as_part_of_t = typename as_part_of<Whole, Part>::type;

// ---- unchecked_closure

/// A closure that travels as its bytes, whatever they mean.
template <class Closure>
class unchecked {
public:
    explicit unchecked(Closure closure) : closure_(std::move(closure)) {}

    template <class... Args>
    requires std::is_invocable_v<Closure&, Args...>
    decltype(auto) operator()(Args&&... args) {
        return std::invoke(closure_, std::forward<Args>(args)...);
    }
    template <class... Args>
    requires std::is_invocable_v<const Closure&, Args...>
    decltype(auto) operator()(Args&&... args) const {
        return std::invoke(closure_, std::forward<Args>(args)...);
    }

private:
    friend struct codec<unchecked>;
    Closure closure_;
};

// ---- named

template <class Signature>
struct named_function;
/// A function that workers know by a name.
template <class R, class... P>
struct named_function<R(P...)> {
    std::string name;
};

template <class F>
inline constexpr bool is_named = false;
template <class Signature>
inline constexpr bool is_named<named_function<Signature>> = true;

// ---- what is called

/// The type whose signature counts, for a decayed callable.
template <class F>
struct callee {
    using type = F;
};
template <auto Function>
struct callee<function_constant<Function>> {
    using type = std::remove_reference_t<decltype((Function))>;
};
template <class Closure>
struct callee<unchecked<Closure>> {
    using type = Closure;
};
template <class R, class... P>
struct callee<named_function<R(P...)>> {
    using type = R (*)(P...);
};
template <class F>
using callee_t = typename callee<F>::type;

} // namespace coproc::detail

namespace coproc {

template <class Closure>
struct codec<detail::unchecked<Closure>> : detail::leaf_codec {
    static void encode(encoder& out, const detail::unchecked<Closure>& value) {
        out.write_block(std::addressof(value.closure_), sizeof(Closure));
    }
    static detail::unchecked<Closure> decode(decoder& in) {
        return detail::unchecked<Closure>(
            detail::from_bytes<Closure>(in.read_block(sizeof(Closure)).data()));
    }
};

} // namespace coproc
