// Counts the words of all files below a directory in worker processes and checks the totals against
// one pass here. --kill-one kills a worker on the way, as the kernel does when memory runs out.
#include <asio.hpp>
#include <coproc/coproc.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>

struct totals {
    std::uint64_t files = 0, words = 0, bytes = 0;
    bool operator==(const totals&) const = default;
    void operator+=(const totals& more) {
        files += more.files, words += more.words, bytes += more.bytes;
    }
};
using paths = std::vector<std::string>;

totals count_words(const paths& files, bool die) { // runs in a worker
    totals sum;
    for (const std::string& path : files) {
        std::ifstream in(path, std::ios::binary);
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        bool inside = false;
        for (const char c : text) {
            sum.words += c > ' ' && !inside;
            inside = c > ' ';
        }
        sum.bytes += text.size();
        ++sum.files;
        if (die) {
            std::raise(SIGKILL);
        }
    }
    return sum;
}

struct progress {
    const std::vector<paths>& batches;
    bool kill_one;
    std::size_t next = 0, done = 0;
    totals sum = {};
};

/// Takes batch after batch; several of these run at once.
asio::awaitable<void> lane(coproc::executor& workers, progress& p) {
    while (p.next < p.batches.size()) {
        const paths& batch = p.batches[p.next++];
        const bool die = p.kill_one && p.next == p.batches.size() / 2 + 1;
        auto r = co_await workers.submit({.name = "count_words"}, count_words, batch, die);
        if (!r && r.error() == coproc::errc::worker_terminated) { // it only reads: it may run twice
            std::cout << "\r" << r.error() << "; once more\n";
            r = co_await workers.submit({.name = "count_words"}, count_words, batch, false);
        }
        p.sum += r.value();
        std::cout << '\r' << ++p.done << '/' << p.batches.size() << " batches, " << p.sum.words
                  << " words" << std::flush;
    }
}

std::vector<paths> find_files(const std::filesystem::path& top) {
    std::vector<paths> batches(1);
    const auto options = std::filesystem::directory_options::skip_permission_denied;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(top, options)) {
        if (entry.is_regular_file()) {
            if (batches.back().size() == 50) {
                batches.emplace_back();
            }
            batches.back().push_back(entry.path().string());
        }
    }
    return batches;
}

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const bool kill_one = !arguments.empty() && arguments.back() == "--kill-one";
    const std::vector<paths> batches = find_files(arguments.empty() ? "." : arguments.front());
    progress p{batches, kill_one};
    asio::io_context loop;
    coproc::executor workers(loop);
    for (int i = 0; i < 8; ++i) {
        asio::co_spawn(loop, lane(workers, p), asio::detached);
    }
    loop.run();
    totals expected;
    for (const paths& batch : batches) {
        expected += count_words(batch, false);
    }
    const bool right = p.sum == expected && (!kill_one || workers.stats().crashed_workers == 1);
    std::cout << '\n'
              << p.sum.files << " files, " << p.sum.words << " words, " << p.sum.bytes
              << " bytes: " << (right ? "as in one pass" : "NOT as in one pass") << '\n';
    return right ? 0 : 1;
}
