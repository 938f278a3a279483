// The main function of component_process: the tests, or one role in a child of a test.
#define CATCH_CONFIG_RUNNER
#include "support/catch.hpp"

#include "child_role.hpp"

int main(int argc, char** argv) {
    const int status = coproc::test::run_role_if_asked(argc, argv);
    return status >= 0 ? status : Catch::Session().run(argc, argv);
}
