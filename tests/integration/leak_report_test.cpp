#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/owned_memory.hpp"

#include <coproc/coproc.hpp>
#include <coproc/event.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <unistd.h>

// What is reported of a worker that is replaced because of its memory.

namespace {

using coproc::test::anonymous_memory;
using namespace std::chrono_literals;

constexpr std::size_t mb = 1'000'000;

std::vector<std::unique_ptr<anonymous_memory>> kept;
int leak_much(int) {
    kept.push_back(std::make_unique<anonymous_memory>(5 * mb));
    return ::getpid();
}
int leak_little(int) {
    kept.push_back(std::make_unique<anonymous_memory>(1 * mb));
    return ::getpid();
}
int leak_nothing(int) { return ::getpid(); }

/// An executor that tells of leaks.
class watched_executor {
public:
    explicit watched_executor(coproc::executor_options options) {
        options.observer = [this](const coproc::event& e) {
            if (const auto* retired = std::get_if<coproc::worker_retired>(&e)) {
                last_leak = retired->memory;
            }
        };
        executor_.emplace(loop_, std::move(options));
    }

    int run(int (*function)(int)) {
        auto job = executor_->submit(function, 0);
        loop_.restart();
        test::run(loop_);
        return std::move(job).get().value();
    }

    std::optional<coproc::memory_report> last_leak;

private:
    asio::io_context loop_;
    std::optional<coproc::executor> executor_;
};

constexpr coproc::leak_options leaks{.period = 1ns, .max_growth = 100 * mb};

bool is_near(std::uint64_t bytes, std::uint64_t wanted) {
    return bytes + 3 * mb > wanted && bytes < wanted + 3 * mb;
}

} // namespace

TEST_CASE("the report of a leak names the worker, figures and functions", "[leak][process]") {
    watched_executor executor({.max_workers = 1, .leak = leaks});
    const int pid = executor.run(leak_nothing);
    executor.run(leak_nothing); // the reference is told meanwhile
    int much = 0;
    for (; !executor.last_leak; ++much) {
        executor.run(leak_much);
        executor.run(leak_little);
        executor.run(leak_nothing);
        REQUIRE(much < 100);
    }
    const coproc::memory_report report = *executor.last_leak;
    INFO(coproc::to_string(report));
    CHECK(report.pid == pid);
    CHECK(report.slot == 0);
    CHECK(report.reference > 0);
    CHECK(report.limit == report.reference + leaks.max_growth);
    CHECK(report.measured > report.limit);
    CHECK(report.after_clean_up > report.limit);
    REQUIRE(report.functions.size() >= 2);
    const coproc::memory_growth& most = report.functions[0];
    const coproc::memory_growth& next = report.functions[1];
    CHECK(most.name().ends_with("leak_much"));
    CHECK(next.name().ends_with("leak_little"));
    CHECK(most.tasks + 1 >= static_cast<std::uint64_t>(much));
    CHECK(is_near(most.bytes, most.tasks * 5 * mb));
    CHECK(is_near(next.bytes, next.tasks * mb));
    const std::string text = coproc::to_string(report);
    CHECK(text.find("worker " + std::to_string(pid) + " has grown from ") == 0);
    CHECK(text.find("; it grew most with " + most.name() + " (") != std::string::npos);
}

TEST_CASE("where nothing leaks, nothing is reported", "[leak][process]") {
    watched_executor executor({.max_workers = 1, .leak = leaks});
    for (int i = 0; i < 20; ++i) {
        executor.run(leak_little);
        executor.run(leak_nothing);
    }
    CHECK_FALSE(executor.last_leak);
}
