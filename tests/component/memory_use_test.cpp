#include "process/memory_use.hpp"

#include "process/small_file.hpp"
#include "support/catch.hpp"
#include "support/owned_memory.hpp"
#include "worker/clean_up.hpp"
#include "worker/worker_scope.hpp"

#include <cstdint>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

// What memory a process has to itself, as the kernel tells it, and what cleaning up gives back.

using coproc::process::exact_private_memory;
using coproc::process::parse_private_memory;
using coproc::process::parse_resident_memory;
using coproc::process::private_memory;
using coproc::process::read_file;
using coproc::test::anonymous_memory;
using coproc::test::shared_memory;

namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
const std::string recorded = std::string(COPROC_TEST_DATA) + "/memory";
const std::string self = "/proc/self";

/// The kernel counts per thread, and adds up now and then.
bool is_about(std::uint64_t measured, std::uint64_t wanted) {
    constexpr std::uint64_t tolerance = 4 * mib;
    return measured + tolerance > wanted && measured < wanted + tolerance;
}

} // namespace

TEST_CASE("private memory is what is anonymous, in RAM or swapped out", "[memory]") {
    CHECK(parse_private_memory("VmRSS:\t  9 kB\nRssAnon:\t     7 kB\nVmSwap:\t 3 kB\n") ==
          10 * kib);
    CHECK(parse_private_memory("RssAnon: 7 kB") == 7 * kib);
    CHECK(parse_resident_memory("Anonymous:    8 kB\nLazyFree:  3 kB\nSwap:  99 kB\n") == 5 * kib);
    CHECK(parse_resident_memory("Anonymous:    8 kB\n") == 8 * kib);
}

TEST_CASE("recorded files are read", "[memory]") {
    CHECK(private_memory(recorded) == (524488 + 2048) * kib);
    CHECK(exact_private_memory(recorded) == (524488 - 4096 + 2048) * kib);
    CHECK_FALSE(private_memory(recorded + "/nowhere"));
    CHECK_FALSE(exact_private_memory(recorded + "/nowhere"));
}

TEST_CASE("what is no such file tells nothing", "[memory]") {
    for (const char* const text : {
             "",
             "\n\n\n",
             "RssAnon:",
             "RssAnon:\t kB",
             "RssAnon:\t7",
             "RssAnon:\t7 MB",
             "RssAnon:\t7 kB ",
             "RssAnon:\t-7 kB",
             "RssAnon:\t0x7 kB",
             "RssAnonymous:\t7 kB",
             " RssAnon:\t7 kB",
             "VmSwap:\t7 kB",
             "RssAnon:\t18446744073709551616 kB",
             "RssAnon:\t18446744073709551615 kB",
             "RssAnon:\t18014398509481984 kB",
             "RssAnon:\t18014398509481983 kB\nVmSwap:\t1 kB",
             "Name:\tx\nState:\tZ (zombie)\nThreads:\t1\n",
         }) {
        INFO(text);
        CHECK_FALSE(parse_private_memory(text));
        CHECK_FALSE(parse_resident_memory(text));
    }
    CHECK_FALSE(parse_resident_memory("Anonymous: 3 kB\nLazyFree: 4 kB\n"));
    CHECK(parse_private_memory("RssAnon:\t18014398509481983 kB") == UINT64_MAX - 1023);
    // Cut and changed, they are no worse than wrong.
    const std::string status = read_file(recorded + "/status");
    const std::string rollup = read_file(recorded + "/smaps_rollup");
    std::mt19937 random(1);
    for (std::string text : {status, rollup}) {
        REQUIRE(text.size() > 500);
        for (std::size_t size = 0; size < text.size(); ++size) {
            static_cast<void>(parse_private_memory(std::string_view(text).substr(0, size)));
            static_cast<void>(parse_resident_memory(std::string_view(text).substr(0, size)));
        }
        for (int i = 0; i < 20000; ++i) {
            text[random() % text.size()] = static_cast<char>(random());
            static_cast<void>(parse_private_memory(text));
            static_cast<void>(parse_resident_memory(text));
        }
    }
}

TEST_CASE("this process's memory counts when it is its own", "[memory]") {
    const auto before = private_memory(self);
    const auto exact_before = exact_private_memory(self);
    REQUIRE(before);
    REQUIRE(exact_before);
    const anonymous_memory owned(64 * mib);
    const shared_memory shared(128 * mib);
    CHECK(is_about(*private_memory(self), *before + 64 * mib));
    CHECK(is_about(*exact_private_memory(self), *exact_before + 64 * mib));
}

TEST_CASE("cleaning up calls hooks only if something is too much", "[memory]") {
    coproc::worker::worker_scope scope;
    std::string called;
    std::optional<anonymous_memory> cache(std::in_place, 64 * mib);
    scope.on_cleanup([&] { called += '1'; });
    scope.on_cleanup([&] {
        called += '2';
        if (called.size() == 2) {
            for (int i = 0; i < 100; ++i) {
                scope.on_cleanup([&] { called += '4'; });
            }
        }
        throw std::runtime_error("ignored");
    });
    scope.on_cleanup([&] {
        called += '3';
        cache.reset();
    });
    const std::uint64_t had = *exact_private_memory(self);
    CHECK(coproc::worker::clean_up(scope, had + 16 * mib) > 64 * mib);
    CHECK(called.empty());
    CHECK(is_about(coproc::worker::clean_up(scope, had - 16 * mib), had - 64 * mib));
    CHECK(called == "123");
    coproc::worker::clean_up(scope, 1);
    CHECK(called == "123123" + std::string(100, '4'));
}

TEST_CASE("cleaning up gives back what malloc holds", "[memory]") {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    std::vector<std::vector<char>> blocks;
    for (int i = 0; i < 2000; ++i) {
        blocks.emplace_back(40000, 'x');
    }
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        if (i % 50 != 0) { // the others keep what lies between them from being given back by itself
            std::vector<char>().swap(blocks[i]);
        }
    }
    const std::uint64_t had = *exact_private_memory(self);
    coproc::worker::worker_scope scope;
    bool called = false;
    scope.on_cleanup([&] { called = true; });
    CHECK(coproc::worker::clean_up(scope, had - 40 * mib) < had - 40 * mib);
    CHECK_FALSE(called);
#endif
}
