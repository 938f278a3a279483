#pragma once

// How two programs find out that they mean the same types by the same name.

#include <coproc/detail/parameter.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <vector>

namespace coproc::detail {

template <class T>
struct is_text : std::false_type {};
template <class Char, class Traits, class Allocator>
struct is_text<std::basic_string<Char, Traits, Allocator>> : std::true_type {
    using character = Char;
};
template <class Char, class Traits>
struct is_text<std::basic_string_view<Char, Traits>> : std::true_type {
    using character = Char;
};

template <class T>
struct is_sequence : std::false_type {};
template <class T, class Allocator>
struct is_sequence<std::vector<T, Allocator>> : std::true_type {
    using item = T;
};
template <class T>
struct is_sequence<std::span<const T>> : std::true_type {
    using item = T;
};

template <class T, class... Seen>
void describe_on_wire(std::string& text);

template <class... Seen, class... Parts>
void describe_parts(std::string& text, types<Parts...>) {
    text += '(';
    ((describe_on_wire<std::remove_cv_t<Parts>, Seen...>(text), text += ','), ...);
    text += ')';
}

/// Appends what a value looks like in a message: equal texts, equal bytes. Views look like what
/// owns. Names are mangled, which all compilers do alike; of a class that is taken apart the fields
/// count as well as the name.
template <class T, class... Seen>
void describe_on_wire(std::string& text) {
    if constexpr (is_text<T>::value) {
        text += std::string("text:") + typeid(typename is_text<T>::character).name();
    } else if constexpr (is_sequence<T>::value) {
        text += "sequence";
        describe_parts<Seen...>(text, types<typename is_sequence<T>::item>{});
    } else {
        text += typeid(T).name();
        if constexpr ((std::is_same_v<T, Seen> || ...)) {
            return;
        } else if constexpr (requires { typename codec<T>::parts; }) {
            describe_parts<T, Seen...>(text, typename codec<T>::parts{});
        } else if constexpr (reflectable<T> && requires { typename codec<T>::built_in; }) {
            describe_parts<T, Seen...>(text, fields<T>{});
        } else if constexpr (std::is_enum_v<T> || is_plain<T>) {
            text += std::to_string(sizeof(T));
        }
    }
}

/// Goes with the name of a function that is called for each element of a chunk.
constexpr std::uint64_t signature_for_chunks(std::uint64_t signature) { return ~signature; }

/// What parameters and result look like in messages, as a number that differs if they do (FNV-1a).
template <class R, class... P>
std::uint64_t wire_signature() {
    std::string text;
    if constexpr (!std::is_void_v<R>) {
        describe_on_wire<std::remove_cvref_t<R>>(text);
    }
    describe_parts<>(text, types<typename parameter<P>::value_type...>{});
    std::uint64_t hash = 0xCBF29CE484222325;
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
    }
    return hash;
}

} // namespace coproc::detail
