#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace coproc::process {

/// "12": decimal digits, at least 1, and no more than fits. Nothing for any other text. Pure.
[[nodiscard]] std::optional<std::size_t> parse_count(std::string_view text);

/// A whole number of at least 1 that an environment variable may give, read when this is made.
class environment_number {
public:
    explicit environment_number(const char* variable);

    /// Nothing: it is not set, or empty. Throws std::invalid_argument, which names the variable and
    /// what it says, if that is no such number.
    [[nodiscard]] std::optional<std::size_t> get() const;

private:
    const char* variable_;
    std::string text_;
    std::optional<std::size_t> number_;
};

} // namespace coproc::process
