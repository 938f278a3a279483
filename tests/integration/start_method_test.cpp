#include "support/answers.hpp"
#include "support/catch.hpp"
#include "support/matchers.hpp"

#include <coproc/coproc.hpp>
#include <coproc/reusable.hpp>

#include <stdexcept>

#include <unistd.h>

// The start method of executors that are given none.

namespace {

using coproc::start_method;

int own_pid() { return ::getpid(); }

/// What a test sets is put back at its end.
struct restored_default {
    start_method before = coproc::default_start_method();
    restored_default() = default;
    restored_default(const restored_default&) = delete;
    ~restored_default() { coproc::set_start_method(before, {.force = true}); }
};

} // namespace

TEST_CASE("test_loky_get_context: executors that are given no start method have the one that "
          "was set",
          "[process][start]") {
    const restored_default restored;
    coproc::set_start_method(start_method::in_process, {.force = true});
    CHECK(coproc::default_start_method() == start_method::in_process);
    CHECK(test::answer_of(own_pid).value() == ::getpid());
    asio::io_context loop;
    coproc::executor told(loop, {.max_workers = 1, .start = start_method::exec});
    auto job = told.submit(own_pid);
    test::run(loop);
    CHECK(std::move(job).get().value() != ::getpid());
}

TEST_CASE("test_default_subcontext: the start method is set once, unless it is forced", "[start]") {
    const restored_default restored;
    coproc::set_start_method(start_method::exec, {.force = true});
    coproc::set_start_method(start_method::exec);
    CHECK_THROWS_AS(coproc::set_start_method(start_method::exec_main), std::logic_error);
    CHECK_THROWS_WITH(coproc::set_start_method(start_method::exec_main),
                      test::contains_text("coproc: set_start_method was called before, with exec"));
    CHECK(coproc::default_start_method() == start_method::exec);
    coproc::set_start_method(start_method::exec_main, {.force = true});
    CHECK(coproc::default_start_method() == start_method::exec_main);
    CHECK(coproc::executor_options().start == start_method::exec_main);
}

TEST_CASE("test_invalid_context: a start method that is none cannot be set", "[start]") {
    const restored_default restored;
    CHECK_THROWS_AS(coproc::set_start_method(static_cast<start_method>(77), {.force = true}),
                    std::invalid_argument);
    CHECK_THROWS_WITH(
        coproc::set_start_method(static_cast<start_method>(77)),
        test::contains_text("coproc: set_start_method takes one of exec, exec_main, "));
    CHECK(coproc::default_start_method() == restored.before);
}
