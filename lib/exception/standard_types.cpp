#include "standard_types.hpp"

#include <any>
#include <filesystem>
#include <functional>
#include <future>
#include <ios>
#include <new>
#include <optional>
#include <regex>
#include <stdexcept>
#include <system_error>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>
#include <version>

#ifdef __cpp_lib_format
#include <format>
#endif

#include "describe.hpp"
#include "error_categories.hpp"

namespace coproc::exceptions {
namespace {

using protocol::Kind;
using origin_ptr = std::shared_ptr<const detail::remote_origin>;
namespace fs = std::filesystem;

template <class E>
E construct(const standard_parts& parts, const std::string& what) {
    if constexpr (std::is_same_v<E, std::future_error>) {
        return E(static_cast<std::future_errc>(parts.code));
    } else if constexpr (std::is_same_v<E, std::regex_error>) {
        return E(static_cast<std::regex_constants::error_type>(parts.code));
    } else if constexpr (std::is_same_v<E, std::system_error>) {
        return E(parts.code, category_named(parts.category));
    } else if constexpr (std::is_same_v<E, std::ios_base::failure>) {
        return E(what, {parts.code, category_named(parts.category)});
    } else if constexpr (std::is_same_v<E, fs::filesystem_error>) {
        return E(what, parts.path1, parts.path2, {parts.code, category_named(parts.category)});
    } else if constexpr (std::is_default_constructible_v<E>) {
        return E();
    } else {
        return E(what);
    }
}

/// An enumeration without fixed type may not even hold other values.
template <class E>
bool has_code(int code) {
    if constexpr (std::is_same_v<E, std::regex_error>) {
        return code >= std::regex_constants::error_collate &&
               code <= std::regex_constants::error_stack;
    }
    return true;
}

template <class E>
std::exception_ptr make(const standard_parts& parts, origin_ptr origin,
                        const std::exception_ptr& nested) {
    if (!has_code<E>(parts.code)) {
        return nullptr;
    }
    E exception = construct<E>(parts, origin->what);
    return detail::make_remote(std::move(exception), std::move(origin), nested);
}

template <class E>
bool is(const std::exception* thrown) {
    return dynamic_cast<const E*>(thrown) != nullptr;
}

struct standard_type {
    Kind kind;
    std::string name;
    bool (*matches)(const std::exception*);
    std::exception_ptr (*make)(const standard_parts&, origin_ptr, const std::exception_ptr&);
};

template <class E>
standard_type row(Kind kind, std::string name = type_name(typeid(E))) {
    return {kind, std::move(name), is<E>, make<E>};
}

std::vector<standard_type> all_types() {
    return {
        row<std::exception>(Kind::EXCEPTION),
        row<std::logic_error>(Kind::LOGIC_ERROR),
        row<std::invalid_argument>(Kind::INVALID_ARGUMENT),
        row<std::domain_error>(Kind::DOMAIN_ERROR),
        row<std::length_error>(Kind::LENGTH_ERROR),
        row<std::out_of_range>(Kind::OUT_OF_RANGE),
        row<std::future_error>(Kind::FUTURE_ERROR),
        row<std::runtime_error>(Kind::RUNTIME_ERROR),
        row<std::range_error>(Kind::RANGE_ERROR),
        row<std::overflow_error>(Kind::OVERFLOW_ERROR),
        row<std::underflow_error>(Kind::UNDERFLOW_ERROR),
        row<std::regex_error>(Kind::REGEX_ERROR),
        row<std::system_error>(Kind::SYSTEM_ERROR),
        // What result::value() throws; its code says it all.
        row<std::system_error>(Kind::SYSTEM_ERROR, "coproc::failed"),
        row<std::ios_base::failure>(Kind::IOS_FAILURE),
        // What the streams of libstdc++ throw, so that both of its ABIs can catch it.
        row<std::ios_base::failure>(Kind::IOS_FAILURE, "std::__ios_failure"),
        row<fs::filesystem_error>(Kind::FILESYSTEM_ERROR),
        row<std::bad_alloc>(Kind::BAD_ALLOC),
        row<std::bad_array_new_length>(Kind::BAD_ARRAY_NEW_LENGTH),
        row<std::bad_cast>(Kind::BAD_CAST),
        row<std::bad_any_cast>(Kind::BAD_ANY_CAST),
        row<std::bad_typeid>(Kind::BAD_TYPEID),
        row<std::bad_exception>(Kind::BAD_EXCEPTION),
        row<std::bad_function_call>(Kind::BAD_FUNCTION_CALL),
        row<std::bad_weak_ptr>(Kind::BAD_WEAK_PTR),
        row<std::bad_optional_access>(Kind::BAD_OPTIONAL_ACCESS),
        row<std::bad_variant_access>(Kind::BAD_VARIANT_ACCESS),
#ifdef __cpp_lib_format
        row<std::format_error>(Kind::FORMAT_ERROR),
#endif
    };
}

/// Never destroyed: a task may fail while the process exits.
const std::vector<standard_type>& types() {
    static const std::vector<standard_type>& table = *new std::vector<standard_type>(all_types());
    return table;
}

void take_code(const std::error_code& code, standard_parts& parts) {
    parts.code = code.value();
    parts.category = code.category().name();
}

} // namespace

standard_parts take_apart(const std::exception& thrown, std::string_view type) {
    standard_parts parts;
    for (const standard_type& known : types()) {
        if (known.name == type && known.matches(&thrown)) {
            parts.kind = known.kind;
        }
    }
    if (parts.kind == Kind::OTHER) {
        return parts;
    }
    if (auto* system = dynamic_cast<const std::system_error*>(&thrown)) {
        take_code(system->code(), parts);
    } else if (auto* future = dynamic_cast<const std::future_error*>(&thrown)) {
        take_code(future->code(), parts);
    } else if (auto* regex = dynamic_cast<const std::regex_error*>(&thrown)) {
        parts.code = regex->code();
    }
    if (auto* files = dynamic_cast<const fs::filesystem_error*>(&thrown)) {
        parts.path1 = files->path1().native();
        parts.path2 = files->path2().native();
    }
    return parts;
}

std::exception_ptr put_together(const standard_parts& parts, origin_ptr origin,
                                const std::exception_ptr& nested) {
    for (const standard_type& known : types()) {
        if (known.kind == parts.kind) {
            return known.make(parts, std::move(origin), nested);
        }
    }
    return nullptr;
}

} // namespace coproc::exceptions
