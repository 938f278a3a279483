#pragma once

#include "support/catch.hpp"

#include <string>

namespace test {

/// Matches texts with `part` in them. Catch2 3 has given this matcher another name.
inline auto contains_text(const std::string& part) {
#if __has_include(<catch2/catch_all.hpp>)
    return Catch::Matchers::ContainsSubstring(part);
#else
    return Catch::Matchers::Contains(part);
#endif
}

} // namespace test
