#include <cerrno>
#include <future>
#include <ios>
#include <string>
#include <system_error>

#include <coproc/error.hpp>

#include "exception/error_categories.hpp"
#include "support/catch.hpp"

using coproc::exceptions::category_named;

TEST_CASE("the categories of the standard library and ours are the very objects") {
    CHECK(category_named("generic") == std::generic_category());
    CHECK(category_named("system") == std::system_category());
    CHECK(category_named("iostream") == std::iostream_category());
    CHECK(category_named("future") == std::future_category());
    CHECK(category_named("coproc") == coproc::error_category());
}

TEST_CASE("an unknown category keeps its name and can be compared with itself") {
    const std::error_category& first = category_named("resolver");
    CHECK(first.name() == std::string("resolver"));
    CHECK(first == category_named("resolver"));
    CHECK(first != category_named("other resolver"));
    const std::error_code code(3, first);
    CHECK(code == std::error_code(3, category_named("resolver")));
    CHECK(code.message() == "error 3 of category resolver");
    CHECK(code != std::errc::no_such_process);
}

TEST_CASE("codes of Asio's system category keep their meaning") {
    const std::error_code code(ECONNREFUSED, category_named("asio.system"));
    CHECK(code.category().name() == std::string("asio.system"));
    CHECK(code == std::errc::connection_refused);
    CHECK(code.message() == std::system_category().message(ECONNREFUSED));
    CHECK(std::error_code(ECANCELED, category_named("asio.system")) == coproc::errc::cancelled);
}

TEST_CASE("a long name is cut, and too many names share one category") {
    CHECK(category_named(std::string(100000, 'n')).name() == std::string(128, 'n'));
    const std::error_category* last = nullptr;
    for (int i = 0; i < 300; ++i) {
        last = &category_named("invented " + std::to_string(i));
    }
    CHECK(last->name() == std::string("remote"));
    CHECK(*last == category_named("one more"));
    CHECK(category_named("generic") == std::generic_category());
}
