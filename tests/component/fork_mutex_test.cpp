#include "coproc/exception.hpp"
#include "exception/exception_codec.hpp"
#include "process/modules.hpp"
#include "support/catch.hpp"
#include "symbols/symbol_file.hpp"
#include "worker/exports.hpp"

#include <atomic>
#include <exception>
#include <stdexcept>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

// Children that are forked while another thread is in the middle of whatever the program has once.

using namespace coproc;

namespace {

struct broken : std::runtime_error {
    using runtime_error::runtime_error;
};
COPROC_EXCEPTION(broken);

/// Uses a thing all the time while children are forked, each of which uses it once.
template <class Use>
void use_and_fork(Use use) {
    use();
    std::atomic<bool> over = false;
    std::thread other([&] {
        while (!over) {
            use();
        }
    });
    int status = 0;
    for (int i = 0; i < 100 && status == 0; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::alarm(20);
            use();
            ::_exit(0);
        }
        ::waitpid(child, &status, 0);
    }
    over = true;
    other.join();
    CHECK(status == 0); // no child has hung
}

} // namespace

TEST_CASE("forked children can describe modules", "[fork][process]") {
    const auto& table = process::module_table::instance();
    use_and_fork([&] { static_cast<void>(table.describe(0)); });
}

TEST_CASE("forked children can send exceptions", "[fork][process]") {
    const auto thrown = std::make_exception_ptr(broken("it"));
    use_and_fork([&] { static_cast<void>(exceptions::encode_exception(thrown)); });
}

TEST_CASE("forked children can look for exported functions", "[fork][process]") {
    use_and_fork([] { static_cast<void>(worker::find_export("none", 1)); });
}

TEST_CASE("forked children can read symbols", "[fork][process]") {
    use_and_fork([] { static_cast<void>(symbols::symbol_file::of(process::executable_path())); });
}
