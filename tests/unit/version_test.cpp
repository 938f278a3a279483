#include <coproc/version.hpp>

#include "support/catch.hpp"

#include <string>

TEST_CASE("test_version: the version of the headers is that of the project", "[version]") {
    const auto part = [](int divisor) { return std::to_string(COPROC_VERSION / divisor % 100); };
    CHECK(part(10000) + "." + part(100) + "." + part(1) == PROJECT_VERSION);
}
