#include "describe.hpp"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <typeinfo>

#include <cxxabi.h>

#include <coproc/remote_exception.hpp>

namespace coproc::exceptions {
namespace {

std::string full_name(const char* mangled) {
    int status = 0;
    std::unique_ptr<char, void (*)(void*)> readable(
        abi::__cxa_demangle(mangled, nullptr, nullptr, &status), std::free);
    return status == 0 && readable ? readable.get() : mangled;
}

/// Takes off the class templates that derive from an exception to carry something beside it: nobody
/// writes their names, and who catches it thinks of what is inside.
std::string_view unwrapped(std::string_view type) {
    constexpr std::string_view wrappers[] = {"std::_Nested_exception<", "boost::wrapexcept<"};
    for (const std::string_view wrapper : wrappers) {
        if (type.starts_with(wrapper) && type.ends_with('>')) {
            type.remove_prefix(wrapper.size());
            type.remove_suffix(1);
            while (type.ends_with(' ')) {
                type.remove_suffix(1);
            }
            return unwrapped(type);
        }
    }
    return type;
}

std::string type_name(const char* mangled) {
    const std::string name = full_name(mangled);
    return std::string(unwrapped(name).substr(0, max_type_name));
}

std::string what_of(const std::exception& thrown) {
    const char* text = thrown.what();
    return text ? std::string(text, strnlen(text, max_text)) : std::string();
}

std::exception_ptr nested_in(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const std::nested_exception& outer) {
        return outer.nested_ptr();
    } catch (...) {
        return nullptr;
    }
}

} // namespace

std::string type_name(const std::type_info& type) { return type_name(type.name()); }

description describe(const std::exception_ptr& thrown) {
    description seen;
    try {
        std::rethrow_exception(thrown);
    } catch (const remote_exception& remote) {
        seen.type = remote.type();
        seen.what = remote.what_text();
    } catch (const std::exception& standard) {
        seen.type = type_name(typeid(standard));
        seen.what = what_of(standard);
    } catch (...) {
        const std::type_info* type = abi::__cxa_current_exception_type();
        seen.type = type ? type_name(*type) : "an exception of another language";
    }
    seen.nested = nested_in(thrown);
    return seen;
}

std::string in_words(const description& thrown) {
    return thrown.what.empty() ? thrown.type : thrown.type + ": " + thrown.what;
}

} // namespace coproc::exceptions
