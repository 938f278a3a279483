#include "start/default_method.hpp"

#include "start/method_names.hpp"

namespace coproc::start {

start_method default_method(std::optional<start_method> set, std::string_view variable) noexcept {
    if (set) {
        return *set;
    }
    return variable.empty() ? start_method::exec : method_named(variable).value_or(unknown_method);
}

std::string refusal_to_set(std::optional<start_method> set, start_method wanted, bool force) {
    if (!set || *set == wanted || force) {
        return {};
    }
    return "set_start_method was called before, with " + std::string(to_string(*set)) +
           "; it is for main alone, once, and {.force = true} sets another one";
}

} // namespace coproc::start
