// The main function of the Catch2 programs.
#define CATCH_CONFIG_RUNNER
#include "support/catch.hpp"

namespace coproc::test {

// Defined by programs that execute themselves as another process: what that process does. Returns
// its exit status, or -1 if the command line asks for the tests.
[[gnu::weak]] int run_role_if_asked(int argc, char** argv);

// Defined by programs whose main function must do something first.
[[gnu::weak]] void prepare(int argc, char** argv);

} // namespace coproc::test

int main(int argc, char** argv) {
    if (&coproc::test::prepare != nullptr) {
        coproc::test::prepare(argc, argv);
    }
    if (&coproc::test::run_role_if_asked != nullptr) {
        const int status = coproc::test::run_role_if_asked(argc, argv);
        if (status >= 0) {
            return status;
        }
    }
    return Catch::Session().run(argc, argv);
}
