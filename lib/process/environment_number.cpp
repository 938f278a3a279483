#include "process/environment_number.hpp"

#include <charconv>
#include <cstdlib>
#include <stdexcept>

namespace coproc::process {

std::optional<std::size_t> parse_count(std::string_view text) {
    std::size_t number = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    return read.ec == std::errc() && read.ptr == end && number > 0 ? std::optional(number)
                                                                   : std::nullopt;
}

environment_number::environment_number(const char* variable) : variable_(variable) {
    if (const char* const value = std::getenv(variable)) {
        text_ = value;
        number_ = parse_count(text_);
    }
}

std::optional<std::size_t> environment_number::get() const {
    if (!text_.empty() && !number_) {
        throw std::invalid_argument("coproc: the environment variable " + std::string(variable_) +
                                    " is \"" + text_ +
                                    "\"; it must be a whole number of at least "
                                    "1");
    }
    return number_;
}

} // namespace coproc::process
