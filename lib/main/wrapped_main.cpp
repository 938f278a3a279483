// The library coproc-main is this object: a program that links it, with -Wl,--wrap=main, calls
// coproc::init without a line of its own. The start-up code's reference to main becomes one to
// __wrap_main, which takes this object out of the archive.

#include "main/init_promise.hpp"

#include <unistd.h>

// NOLINTBEGIN(readability-identifier-naming): the linker chooses these names
// The program's own main. It may take fewer parameters: the callee does not see the others.
extern "C" int __real_main(int argc, char** argv, char** environment);

extern "C" int __wrap_main(int argc, char** argv, char**) {
    coproc::detail::init_before_main();
    return __real_main(argc, argv, environ); // init may have replaced the environment
}
// NOLINTEND(readability-identifier-naming)

namespace {

// Runs before the static constructors of the program.
[[gnu::constructor(101)]] void promise() { coproc::detail::promise_init(); }

} // namespace
