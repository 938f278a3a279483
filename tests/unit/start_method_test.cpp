#include "support/catch.hpp"

#include "start/default_method.hpp"
#include "start/method_names.hpp"

#include <string>

// Names of start methods, and which of them is the default.

using coproc::start_method;
namespace start = coproc::start;

TEST_CASE("each start method has a name, and each name its method", "[start]") {
    for (const char* name : {"exec", "exec_main", "program", "forkserver", "fork", "in_process"}) {
        INFO(name);
        const auto method = start::method_named(name);
        REQUIRE(method);
        CHECK(to_string(*method) == name);
        CHECK(start::known_methods().find(name) != std::string::npos);
    }
    for (const char* other : {"", "Exec", "exec ", "telepathy"}) {
        INFO(other);
        CHECK_FALSE(start::method_named(other));
    }
    CHECK(to_string(start::unknown_method).empty());
    CHECK(to_string(static_cast<start_method>(77)).empty());
}

TEST_CASE("the known start methods are part of a sentence", "[start]") {
    CHECK(start::known_methods().starts_with("exec, exec_main, "));
    CHECK(start::known_methods().ends_with(" and in_process"));
}

TEST_CASE("what was set comes before the environment, and that before exec", "[start]") {
    CHECK(start::default_method(std::nullopt, "") == start_method::exec);
    CHECK(start::default_method(std::nullopt, "in_process") == start_method::in_process);
    CHECK(start::default_method(std::nullopt, "telepathy") == start::unknown_method);
    CHECK(start::default_method(start_method::exec_main, "in_process") == start_method::exec_main);
    CHECK(start::default_method(start_method::exec_main, "telepathy") == start_method::exec_main);
}

TEST_CASE("the default start method is set once, or again to the same, or by force", "[start]") {
    const auto refusal = [](std::optional<start_method> set, start_method wanted, bool force) {
        return start::refusal_to_set(set, wanted, force);
    };
    CHECK(refusal(std::nullopt, start_method::exec_main, false).empty());
    CHECK(refusal(start_method::exec_main, start_method::exec_main, false).empty());
    CHECK(refusal(start_method::exec_main, start_method::program, true).empty());
    CHECK(refusal(start_method::exec_main, start_method::program, false) ==
          "set_start_method was called before, with exec_main; it is for main alone, once, and "
          "{.force = true} sets another one");
}
