// main of the tests with real workers. It is linked with coproc_main, which makes workers before
// main begins; for start_method::exec_main it calls init itself.
#define CATCH_CONFIG_RUNNER
#include "support/catch.hpp"

#include <coproc/worker.hpp>

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    return Catch::Session().run(argc, argv);
}
