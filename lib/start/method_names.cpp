#include "start/method_names.hpp"

#include <array>

namespace coproc::start {
namespace {

struct named_method {
    start_method method;
    std::string_view name;
};

constexpr std::array methods{
    named_method{start_method::exec, "exec"},
    named_method{start_method::exec_main, "exec_main"},
    named_method{start_method::program, "program"},
    named_method{start_method::forkserver, "forkserver"},
    named_method{start_method::fork, "fork"},
    named_method{start_method::in_process, "in_process"},
};

} // namespace

std::optional<start_method> method_named(std::string_view name) noexcept {
    for (const named_method& each : methods) {
        if (each.name == name) {
            return each.method;
        }
    }
    return std::nullopt;
}

std::string_view name_of(start_method method) noexcept {
    for (const named_method& each : methods) {
        if (each.method == method) {
            return each.name;
        }
    }
    return {};
}

std::string known_methods() {
    std::string text;
    for (std::size_t i = 0; i < methods.size(); ++i) {
        text += i == 0 ? "" : i + 1 < methods.size() ? ", " : " and ";
        text += methods[i].name;
    }
    return text;
}

} // namespace coproc::start
