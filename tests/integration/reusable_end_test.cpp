#include "support/catch.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <sys/wait.h>

// Programs that end while their reusable executors have tasks. A program that does not end hangs
// the test, whose time is limited.

namespace {

/// What a program of ours prints, sorted, and its exit status.
struct outcome {
    std::vector<std::string> lines;
    int status;
};

outcome run(const std::string& how) {
    const std::string program =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "integration_reusing";
    std::FILE* const pipe = ::popen((program + " " + how).c_str(), "r");
    outcome seen{{}, -1};
    std::string line;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
        if (c == '\n') {
            seen.lines.push_back(std::exchange(line, {}));
        } else {
            line += static_cast<char>(c);
        }
    }
    const int status = ::pclose(pipe);
    seen.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    std::sort(seen.lines.begin(), seen.lines.end());
    return seen;
}

std::vector<std::string> tasks(int count, std::vector<std::string> others = {}) {
    for (int n = 0; n < count; ++n) {
        others.push_back("task " + std::to_string(n));
    }
    std::sort(others.begin(), others.end());
    return others;
}

} // namespace

TEST_CASE("test_interpreter_shutdown: tasks run to their end when the program ends", "[reusable]") {
    const outcome seen = run("return 2>&1");
    CHECK(seen.lines == tasks(10));
    CHECK(seen.status == 0);
}

TEST_CASE("tasks of an executor that was replaced run to their end, too", "[reusable]") {
    const outcome seen = run("replace");
    CHECK(seen.lines == tasks(10));
    CHECK(seen.status == 0);
}

TEST_CASE("when the program ends, tasks go on and handlers are not called", "[reusable]") {
    const outcome seen = run("handler");
    CHECK(seen.lines == std::vector<std::string>{"let go"});
    CHECK(seen.status == 0);
}

TEST_CASE("a handler may end the program, and the tasks run to their end", "[reusable]") {
    const outcome seen = run("exit");
    CHECK(seen.lines == tasks(11));
    CHECK(seen.status == 3);
}

TEST_CASE("after the end there are no more executors", "[reusable]") {
    const outcome seen = run("late");
    CHECK(seen.lines == tasks(5, {"too late"}));
    CHECK(seen.status == 0);
}

TEST_CASE("test_no_deadlock_on_nested_reusable_exector: tasks have executors of their own",
          "[reusable]") {
    const outcome seen = run("nested");
    CHECK(seen.lines == tasks(3, {"value 0", "value 1", "value 2"}));
    CHECK(seen.status == 0);
}

TEST_CASE("forked children have reusable executors of their own", "[process][reusable][fork]") {
    const outcome seen = run("fork");
    CHECK(seen.lines == tasks(6, {"child 0", "child 0", "child 0", "child 0", "child 0"}));
    CHECK(seen.status == 0);
}
