#include <coproc/worker.hpp>

namespace coproc::test {

// The program is linked with coproc_main, which makes workers before main begins; for
// start_method::exec_main main calls init itself.
void prepare(int argc, char** argv) { init(argc, argv); }

} // namespace coproc::test
