// A worker program of a user's own: another one than that whose tasks it runs.
#include <coproc/coproc.hpp>

namespace {
int twice_there(int n) { return 2 * n; }
COPROC_EXPORT(twice_there)
} // namespace

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    return 1;
}
