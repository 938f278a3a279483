#include "symbols/readable_name.hpp"

#include <cstdlib>
#include <cxxabi.h>
#include <initializer_list>
#include <memory>

namespace coproc::symbols {
namespace {

bool cut_suffix(std::string_view& text, std::string_view suffix) noexcept {
    if (!text.ends_with(suffix)) {
        return false;
    }
    text.remove_suffix(suffix.size());
    return true;
}

// " [clone .part.0]" and " [clone .cold]", as the compiler splits functions.
void cut_clones(std::string_view& text) noexcept {
    if (const auto begin = text.find(" [clone "); begin != std::string_view::npos) {
        text = text.substr(0, begin);
    }
}

void cut_qualifiers(std::string_view& text) noexcept {
    bool found = true;
    while (found) {
        found = false;
        for (const std::string_view qualifier : {" const", " volatile", " &", " &&", " noexcept"}) {
            found = cut_suffix(text, qualifier) || found;
        }
    }
}

void cut_parameters(std::string_view& text) noexcept {
    if (!text.ends_with(')')) {
        return;
    }
    std::size_t depth = 0;
    for (std::size_t i = text.size(); i-- > 0;) {
        if (text[i] == ')') {
            ++depth;
        } else if (text[i] == '(' && --depth == 0) {
            if (i > 0) {
                text = text.substr(0, i);
            }
            return;
        }
    }
}

// A lambda's call operator, and the function that a captureless lambda converts to.
void cut_lambda_operator(std::string_view& text) noexcept {
    for (const std::string_view suffix : {"::operator()", "::_FUN", "::__invoke"}) {
        std::string_view rest = text;
        if (cut_suffix(rest, suffix) && (rest.ends_with('}') || rest.ends_with(')'))) {
            text = rest;
            return;
        }
    }
}

bool is_word(char c) noexcept {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Only the signature of a template has a return type in front of the name: it ends at the last
// space that is in no bracket. What follows "operator" belongs to the name ("operator new",
// "operator<").
void cut_return_type(std::string_view& text) noexcept {
    constexpr std::string_view keyword = "operator";
    std::size_t depth = 0;
    std::size_t name = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (text.substr(i).starts_with(keyword) && (i == 0 || !is_word(text[i - 1])) &&
            (i + keyword.size() == text.size() || !is_word(text[i + keyword.size()]))) {
            if (depth == 0) {
                break;
            }
            i += keyword.size() - 1;
            while (i + 1 < text.size() &&
                   std::string_view("<>-=()").find(text[i + 1]) != std::string_view::npos) {
                ++i;
            }
        } else if (std::string_view("<({[").find(c) != std::string_view::npos) {
            ++depth;
        } else if (std::string_view(">)}]").find(c) != std::string_view::npos) {
            depth -= depth > 0 ? 1 : 0;
        } else if (c == ' ' && depth == 0) {
            name = i + 1;
        }
    }
    text.remove_prefix(name);
}

} // namespace

std::string demangle(const char* symbol) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> readable(
        abi::__cxa_demangle(symbol, nullptr, nullptr, &status), &std::free);
    // A C name may be a valid encoding of a type ("f" is float), so only _Z counts.
    const bool mangled = std::string_view(symbol).starts_with("_Z");
    return mangled && readable ? std::string(readable.get()) : std::string(symbol);
}

std::string_view function_part(std::string_view signature) noexcept {
    cut_clones(signature);
    cut_qualifiers(signature);
    cut_parameters(signature);
    cut_lambda_operator(signature);
    cut_return_type(signature);
    return signature;
}

std::string_view function_of_task(std::string_view name) noexcept {
    constexpr std::string_view invoker = "coproc::detail::task_invoker<";
    std::string_view rest = name;
    if (!rest.starts_with(invoker) ||
        !(cut_suffix(rest, "::invoke") || cut_suffix(rest, "::invoke_chunk"))) {
        return name;
    }
    rest.remove_prefix(invoker.size());
    std::size_t depth = 0;
    for (std::size_t i = 0; i < rest.size(); ++i) {
        if (std::string_view("<({[").find(rest[i]) != std::string_view::npos) {
            ++depth;
        } else if (std::string_view(">)}]").find(rest[i]) != std::string_view::npos) {
            depth -= depth > 0 ? 1 : 0;
        } else if (rest[i] == ',' && depth == 0) {
            return rest.substr(0, i);
        }
    }
    return name;
}

} // namespace coproc::symbols
