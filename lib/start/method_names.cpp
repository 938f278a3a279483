#include "start/method_names.hpp"

#include <algorithm>
#include <array>

namespace coproc::start {
namespace {

constexpr std::array methods{start_method::exec,    start_method::exec_main,
                             start_method::program, start_method::forkserver,
                             start_method::fork,    start_method::in_process};

} // namespace

std::optional<start_method> method_named(std::string_view name) noexcept {
    const auto* const found =
        std::ranges::find(methods, name, [](start_method each) { return to_string(each); });
    return found == methods.end() ? std::nullopt : std::optional(*found);
}

std::string known_methods() {
    std::string text;
    for (std::size_t i = 0; i < methods.size(); ++i) {
        text += i == 0 ? "" : i + 1 < methods.size() ? ", " : " and ";
        text += to_string(methods[i]);
    }
    return text;
}

} // namespace coproc::start
