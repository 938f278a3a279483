#include <coproc/coproc.hpp>

#include <asio/io_context.hpp>

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

// Goes into a memory cgroup of half a gigabyte and lets workers die in it: one of want of memory,
// one of a SIGKILL of its own. Prints how that is told. "no cgroup": none can be made here.

namespace {

int fill_memory(int) {
    constexpr std::size_t block = std::size_t{16} << 20;
    for (int i = 0; i < 256; ++i) {
        std::memset(std::malloc(block), i, block); // NOLINT: meant to be lost
    }
    return 0;
}

int kill_itself(int) { return ::kill(::getpid(), SIGKILL); }

int same(int n) { return n; }

bool write_to(const std::string& file, const std::string& text) {
    std::ofstream out(file);
    out << text << std::flush;
    return out.good();
}

/// The directory of the new cgroup; empty: this process is in no cgroup of its own.
std::string enter_cgroup() {
    const std::string name = "/coproc-test-" + std::to_string(::getpid());
    for (const auto& [top, limit] : {std::pair("/sys/fs/cgroup/memory", "/memory.limit_in_bytes"),
                                     std::pair("/sys/fs/cgroup", "/memory.max")}) {
        const std::string directory = top + name;
        if (::mkdir(directory.c_str(), 0700) != 0) {
            continue;
        }
        if (::access((directory + limit).c_str(), W_OK) == 0 &&
            write_to(directory + limit, "536870912") &&
            write_to(directory + "/cgroup.procs", std::to_string(::getpid()))) {
            write_to(directory + "/memory.swap.max", "0"); // in version 2, where there is swap
            return directory;
        }
        ::rmdir(directory.c_str());
    }
    return {};
}

void tell(const coproc::result<int>& got) {
    if (got) {
        std::cout << "value " << got.value() << '\n';
        return;
    }
    std::cout << "code " << got.error().code().value() << ", shortage "
              << static_cast<int>(got.error().out_of_memory()) << ", worker's "
              << static_cast<int>(got.error().worker()->out_of_memory) << ", "
              << got.error().message() << '\n';
}

} // namespace

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    const std::string directory = enter_cgroup();
    if (directory.empty()) {
        std::cout << "no cgroup\n";
        return 0;
    }
    std::cout << directory << '\n';
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    for (const auto task : {kill_itself, fill_memory, same, fill_memory, kill_itself, same}) {
        auto job = executor.submit(task, 7);
        loop.restart();
        loop.run();
        tell(std::move(job).get());
    }
    return 0;
}
