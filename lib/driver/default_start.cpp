#include "driver/default_start.hpp"

#include "coproc/options.hpp"
#include "start/default_method.hpp"
#include "start/method_names.hpp"

#include <cstdlib>
#include <mutex>
#include <optional>
#include <stdexcept>

// The start method of executors that are given none: one for the whole program.
namespace coproc {
namespace {

// Not destroyed: executors are made also while static objects are destroyed.
constinit std::mutex set_mutex;
constinit std::optional<start_method> set_method;

std::optional<start_method> method_that_was_set() {
    const std::lock_guard lock(set_mutex);
    return set_method;
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
    return start::default_method(method_that_was_set(), detail::start_method_variable());
}

void set_start_method(start_method method, set_default_options how) {
    if (start::name_of(method).empty()) {
        throw std::invalid_argument("coproc: set_start_method takes one of " +
                                    start::known_methods());
    }
    const std::lock_guard lock(set_mutex);
    const std::string refusal = start::refusal_to_set(set_method, method, how.force);
    if (!refusal.empty()) {
        throw std::logic_error("coproc: " + refusal);
    }
    set_method = method;
}

} // namespace coproc
