#include "driver/default_start.hpp"

#include "coproc/options.hpp"
#include "start/default_method.hpp"
#include "start/method_names.hpp"

#include <atomic>
#include <cstdlib>
#include <optional>
#include <stdexcept>

// The start method of executors that are given none: one for the whole program.
namespace coproc {
namespace {

// Atomic, and no mutex, which a fork could leave locked in the child. start::unknown_method: not
// set.
constinit std::atomic<start_method> set_method = start::unknown_method;

std::optional<start_method> as_optional(start_method set) noexcept {
    return set == start::unknown_method ? std::nullopt : std::optional(set);
}

} // namespace

const std::string& detail::start_method_variable() {
    static const std::string& value = *new std::string([] {
        const char* const read = std::getenv("COPROC_START_METHOD");
        return read == nullptr ? "" : read;
    }());
    return value;
}

start_method default_start_method() noexcept {
    return start::default_method(as_optional(set_method), detail::start_method_variable());
}

void set_start_method(start_method method, set_default_options how) {
    if (to_string(method).empty()) {
        throw std::invalid_argument("coproc: set_start_method takes one of " +
                                    start::known_methods());
    }
    start_method before = set_method;
    do {
        const std::string refusal = start::refusal_to_set(as_optional(before), method, how.force);
        if (!refusal.empty()) {
            throw std::logic_error("coproc: " + refusal);
        }
    } while (!set_method.compare_exchange_weak(before, method));
}

} // namespace coproc
