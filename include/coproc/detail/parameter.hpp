#pragma once

// How an argument travels, by the type of the parameter that it is for.

#include <coproc/codec.hpp>
#include <coproc/codecs/vector.hpp>
#include <coproc/detail/array_references.hpp>
#include <coproc/detail/sequence.hpp>

#include <concepts>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace coproc {

template <class T>
class shared_array;

} // namespace coproc

namespace coproc::detail {

struct array_access;

/// Values that travel to a task and not back, and may hold something that ends with it.
template <class T>
concept argument_only = requires {
    typename codec<T>::argument_only;
};

/// Whether it is such a value, or may have one among its parts.
template <class T, class... Seen>
consteval bool holds_argument_only() {
    if constexpr ((std::is_same_v<T, Seen> || ...)) {
        return false;
    } else if constexpr (argument_only<T>) {
        return true;
    } else if constexpr (requires { typename codec<T>::parts; }) {
        return []<class... Parts>(types<Parts...>) {
            return (holds_argument_only<std::remove_cv_t<Parts>, Seen..., T>() || ...);
        }(typename codec<T>::parts{});
    } else {
        return false;
    }
}

/// Rvalues that a task takes with it.
template <class T>
concept consumable = holds_argument_only<T>() && std::move_constructible<T>;

/// Takes it.
template <consumable Value>
void encode_consumed(encoder& out, Value& value) {
    const Value consumed(std::move(value));
    out.write(consumed);
}

/// A parameter that takes the decoded value: `T`, `const T&`, `T&&`.
template <class P, class Value = std::remove_cvref_t<P>>
struct parameter {
    using value_type = Value; // what is encoded
    using held = Value;       // what lives in the worker while the function runs

    static void encode(encoder& out, const Value& value) { out.write(value); }
    static void encode(encoder& out, Value&& value) requires consumable<Value> {
        encode_consumed(out, value);
    }
    static held decode(decoder& in) { return in.read<Value>(); }
    static P&& pass(held& value) noexcept { return static_cast<P&&>(value); }
};

/// A view of elements that lie in the message: plain ones, and bools once they are checked.
template <class T>
concept viewable = (block<T> || std::is_same_v<T, bool>)&&alignof(T) <= encoder::max_alignment;

template <viewable T>
std::span<const T> read_view(decoder& in) {
    const std::size_t count = in.read_size(sizeof(T));
    const auto bytes = in.read_block(count * sizeof(T), alignof(T));
    if constexpr (std::is_same_v<T, bool>) {
        for (const std::byte& byte : bytes) {
            if (byte > std::byte{1}) {
                const auto left = static_cast<std::size_t>(bytes.data() + bytes.size() - &byte);
                in.fail("a bool is neither 0 nor 1", in.position() - left);
            }
        }
    }
    return {reinterpret_cast<const T*>(bytes.data()), count};
}

template <class P, class Char, class Traits>
struct parameter<P, std::basic_string_view<Char, Traits>> {
    using value_type = std::basic_string_view<Char, Traits>;
    using held = value_type;
    using parts = types<Char>;

    static void encode(encoder& out, value_type view) {
        write_elements(out, view.data(), view.size());
    }
    static held decode(decoder& in) {
        const auto elements = read_view<Char>(in);
        return held(elements.data(), elements.size());
    }
    static P&& pass(held& view) noexcept { return static_cast<P&&>(view); }
};

template <class P, class T, std::size_t Extent>
struct parameter<P, std::span<const T, Extent>> {
    using value_type = std::span<const T, Extent>;
    using parts = types<T>;
    using storage = std::conditional_t<viewable<T>, std::span<const T>, std::vector<T>>;

    /// Elements that cannot be looked at in place are decoded into a vector, and those of a
    /// shared_array are not in the message.
    struct held {
        explicit held(storage decoded) : elements(std::move(decoded)), view(elements) {}
        explicit held(array_part shared)
            : memory(std::move(shared.memory)),
              view(reinterpret_cast<const T*>(shared.bytes.data()),
                   shared.bytes.size() / sizeof(T)) {}
        storage elements;
        array_ptr memory;
        value_type view; // stays good when a vector is moved
    };

    static void encode(encoder& out, value_type view) {
        if constexpr (viewable<T>) {
            write_elements(out, view.data(), view.size());
        } else {
            out.write_size(view.size());
            for (const T& element : view) {
                write_element(out, element);
            }
        }
    }
    template <class Access = array_access>
    static void encode(encoder& out, const shared_array<T>& array) {
        array_references::write_as_sequence(out, Access::part_of(array));
    }
    template <class Access = array_access>
    static void encode(encoder& out, shared_array<T>&& array) {
        const shared_array<T> consumed(std::move(array));
        encode(out, consumed);
    }
    static held decode(decoder& in) {
        if (Extent == std::dynamic_extent && array_references::begins_here(in)) {
            return held(array_references::read(in, sizeof(T), alignof(T)));
        }
        storage elements = decode_elements(in);
        if (Extent != std::dynamic_extent && elements.size() != Extent) {
            in.fail("a span has the wrong length");
        }
        return held(std::move(elements));
    }
    static P&& pass(held& value) noexcept { return static_cast<P&&>(value.view); }

private:
    static storage decode_elements(decoder& in) {
        if constexpr (viewable<T>) {
            return read_view<T>(in);
        } else {
            return in.read<std::vector<T>>();
        }
    }
};

/// What an argument is before it is encoded for a parameter: the parameter's type, but for a
/// shared_array, which would be copied.
template <class P, class Arg, class View = std::remove_cvref_t<P>>
struct converted {
    using type = typename parameter<P>::value_type;
};
template <class P, class T>
struct converted<P, shared_array<T>, std::span<const T>> {
    using type = shared_array<T>;
};

/// A C string: its bytes with the zero at the end, or no byte at all for a null pointer.
template <class P>
struct parameter<P, const char*> {
    using value_type = const char*;
    using held = const char*;

    static void encode(encoder& out, const char* text) {
        const std::size_t size = text == nullptr ? 0 : std::strlen(text) + 1;
        write_elements(out, text, size);
    }
    static held decode(decoder& in) {
        const auto bytes = read_view<char>(in);
        if (bytes.empty()) {
            return nullptr;
        }
        if (bytes.back() != '\0') {
            in.fail("a C string has no end", in.position() - 1);
        }
        return bytes.data();
    }
    static P&& pass(held& text) noexcept { return static_cast<P&&>(text); }
};

/// In place of a parameter: the object that a member function is called for, `T&`, `const T&` or
/// `T&&` as in the call. It travels as the type that it has, so that virtual functions stay what
/// they are.
template <class Object>
struct the_object;

template <class Object>
struct parameter<the_object<Object>, the_object<Object>> {
    using value_type = std::remove_cvref_t<Object>;
    using held = value_type;

    static void encode(encoder& out, const value_type& object) { out.write(object); }
    static void encode(encoder& out, value_type&& object) requires consumable<value_type> {
        encode_consumed(out, object);
    }
    static held decode(decoder& in) { return in.read<value_type>(); }
    /// GCC looks for a virtual table in every object and warns of those that are too small for one,
    /// unless it does not see where the object is.
    static Object pass(held& object) noexcept {
        return static_cast<Object>(*std::launder(std::addressof(object)));
    }
};

/// What the worker passes for a parameter.
template <class P>
struct passed {
    using type = P&&;
};
template <class Object>
struct passed<the_object<Object>> {
    using type = Object;
};

} // namespace coproc::detail
