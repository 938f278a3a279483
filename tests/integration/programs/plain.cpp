// Neither calls coproc::init nor is linked with coproc_main.
#include <coproc/coproc.hpp>

#include <iostream>

int same(int n) { return n; }

int main() {
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    const coproc::result<int> got = executor.submit(same, 1).get();
    if (got) {
        return 1;
    }
    std::cout << got.error() << '\n';
    return got.error() == coproc::errc::spawn_failed ? 0 : 2;
}
