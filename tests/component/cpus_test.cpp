#include "process/cpus.hpp"

#include "child_role.hpp"
#include "process/environment_number.hpp"
#include "support/catch.hpp"

#include <coproc/cpu_count.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace coproc;
using process::count_cores;
using process::count_cpus;
using process::cpu_quota;
using process::parse_cfs_quota;
using process::parse_cpu_max;
using test::child_role;

namespace {

using number = std::optional<std::size_t>;

std::string tree(const std::string& name) {
    return std::string(COPROC_TEST_DATA) + "/cpus/" + name;
}

std::vector<unsigned> first_cpus(unsigned count) {
    std::vector<unsigned> all;
    for (unsigned cpu = 0; cpu < count; ++cpu) {
        all.push_back(cpu);
    }
    return all;
}

/// Runs on the first of the CPUs that it may use.
void keep_to_one_cpu() {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(process::allowed_cpus().front(), &one);
    REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
}

const child_role count("count CPUs", [](const test::arguments&) {
    std::string all;
    for (const cpus which : {cpus::logical, cpus::physical}) {
        try {
            all += std::to_string(cpu_count(which)) + ";";
        } catch (const std::invalid_argument& error) {
            all += error.what();
        }
    }
    test::write_text(3, all);
    return 0;
});

/// The directory of a new control group that limits CPU time; empty: none can be made here.
std::string make_cpu_group(const std::string& quota_us) {
    const std::string name = "/coproc-test-" + std::to_string(::getpid());
    for (const auto& [top, file, text] :
         {std::tuple("/sys/fs/cgroup/cpu", "/cpu.cfs_quota_us", quota_us),
          std::tuple("/sys/fs/cgroup/cpu,cpuacct", "/cpu.cfs_quota_us", quota_us),
          std::tuple("/sys/fs/cgroup", "/cpu.max", quota_us + " 100000")}) {
        const std::string directory = top + name;
        if (::access(top, W_OK) != 0 || ::mkdir(directory.c_str(), 0700) != 0) {
            continue;
        }
        if (::access((directory + file).c_str(), W_OK) == 0 &&
            (std::ofstream(directory + file) << text << std::flush).good()) {
            return directory;
        }
        ::rmdir(directory.c_str());
    }
    return {};
}

// Goes into a group, and into one within that, which has no limit of its own.
const child_role count_in_group("count CPUs in a group", [](const test::arguments& given) {
    const std::string inner = given.at(0) + "/inner";
    const bool entered =
        ::mkdir(inner.c_str(), 0700) == 0 &&
        (std::ofstream(inner + "/cgroup.procs") << ::getpid() << std::flush).good();
    test::write_text(3, entered ? std::to_string(cpu_count()) : "not entered");
    return 0;
});

/// What another process counts that has this in its environment.
std::string counted_with(const std::string& variable) {
    auto [ours, theirs] = test::make_socket_pair();
    process::spawn_request request = test::role_request("count CPUs");
    request.descriptors = {theirs.get()};
    request.variables = {variable};
    process::child process = test::start(request);
    theirs.reset();
    std::string answer = test::read_to_end(ours.get());
    CHECK(test::wait_for_end(process).value == 0);
    return answer;
}

} // namespace

TEST_CASE("test_cpu_count: there is a CPU, and no more cores than CPUs") {
    CHECK(cpu_count() >= 1);
    CHECK(cpu_count(cpus::physical) >= 1);
    CHECK(cpu_count(cpus::physical) <= cpu_count(cpus::logical));
    const std::vector<unsigned> allowed = process::allowed_cpus();
    CHECK(cpu_count() <= allowed.size());
    CHECK(std::is_sorted(allowed.begin(), allowed.end()));
}

TEST_CASE("test_cpu_count_os_sched_getaffinity: a process with one CPU has one") {
    cpu_set_t old;
    REQUIRE(::sched_getaffinity(0, sizeof old, &old) == 0);
    CHECK(process::allowed_cpus().size() == static_cast<std::size_t>(CPU_COUNT(&old)));
    keep_to_one_cpu();
    CHECK(process::allowed_cpus().size() == 1);
    CHECK(cpu_count() == 1);
    CHECK(cpu_count(cpus::physical) == 1);
    CHECK(counted_with("NOTHING=") == "1;1;");
    ::sched_setaffinity(0, sizeof old, &old);
}

TEST_CASE("a limit is a number of CPUs, rounded up") {
    CHECK(parse_cpu_max("50000 100000\n") == 1U);
    CHECK(parse_cpu_max("100000 100000\n") == 1U);
    CHECK(parse_cpu_max("100001 100000\n") == 2U);
    CHECK(parse_cpu_max("150000 100000") == 2U);
    CHECK(parse_cpu_max("1000 1000000\n") == 1U);
    CHECK(parse_cpu_max("18446744073709551615 1\n") == 18446744073709551615U);
    CHECK(parse_cfs_quota("150000\n", "100000\n") == 2U);
    CHECK(parse_cfs_quota("300000\n", "100000\n") == 3U);
}

TEST_CASE("test_cpu_count_cgroup_invalid_content: a text that gives no quota is no limit") {
    for (const char* text : {"", "\n", "max\n", "max 100000\n", "100000\n", "0 100000\n",
                             "100000 0\n", "-1 100000\n", "100000 -1\n", "1e5 100000\n",
                             "100000 100000 1\n", "100000 max\n", "18446744073709551616 1\n"}) {
        INFO(text);
        CHECK_FALSE(parse_cpu_max(text));
    }
    CHECK_FALSE(parse_cfs_quota("-1\n", "100000\n"));
    CHECK_FALSE(parse_cfs_quota("", "100000\n"));
    CHECK_FALSE(parse_cfs_quota("100000\n", ""));
    CHECK_FALSE(parse_cfs_quota("100000 1\n", "100000\n"));
    CHECK(cpu_quota(tree("invalid")) == number());
    CHECK(count_cpus(cpus::logical, first_cpus(4), {}, tree("invalid")) == 4);
}

TEST_CASE("test_cpu_count_cgroup_limit: the least counts that a group or one above it allows") {
    CHECK(cpu_quota(tree("slice")) == number(3));     // from the slice that the scope is in
    CHECK(cpu_quota(tree("service")) == number(1));   // half a CPU, of its own
    CHECK(cpu_quota(tree("container")) == number(2)); // one and a half
    CHECK(cpu_quota(tree("bound")) == number(3));     // from the container that the group is in
    CHECK(cpu_quota(tree("old")) == number(4));       // version 1, from the group above
    CHECK(cpu_quota(tree("hybrid")) == number());     // version 2 does not have the controller
    CHECK(cpu_quota(tree("outside")) == number());    // what can be seen is somebody else's
    CHECK(cpu_quota(tree("no such tree")) == number());
}

TEST_CASE("test_cpu_count_cgroup_limit: of the running system, too") {
    for (const auto& [quota, expected] : {std::pair("50000", 1U), std::pair("150000", 2U)}) {
        const std::string group = make_cpu_group(quota);
        if (group.empty()) {
            WARN("not tested: no control group can be made here");
            return;
        }
        auto [ours, theirs] = test::make_socket_pair();
        process::spawn_request request = test::role_request("count CPUs in a group", {group});
        request.descriptors = {theirs.get()};
        process::child process = test::start(request);
        theirs.reset();
        const std::string answer = test::read_to_end(ours.get());
        CHECK(test::wait_for_end(process).value == 0);
        CHECK(answer == std::to_string(std::min<std::size_t>(expected, cpu_count())));
        ::rmdir((group + "/inner").c_str());
        CHECK(::rmdir(group.c_str()) == 0);
    }
}

TEST_CASE("CPUs that share a core are one core") {
    const std::string root = tree("threads");
    CHECK(count_cores(first_cpus(6), root) == 3);
    // Of a mask only what is in it.
    CHECK(count_cores(std::vector{0U, 4U}, root) == 1);
    CHECK(count_cores(std::vector{0U, 1U, 2U}, root) == 3);
}

TEST_CASE("test_only_physical_cores_error: a CPU of which nothing is known is a core") {
    CHECK(count_cores(first_cpus(8), tree("threads")) == 5);
    CHECK(count_cores(first_cpus(8), tree("no such tree")) == 8);
}

TEST_CASE("test_only_physical_cores_with_user_limitation: the least of all bounds counts") {
    const std::vector<unsigned> six = first_cpus(6);
    const std::string root = tree("threads");
    CHECK(count_cpus(cpus::logical, six, {}, root) == 6);
    CHECK(count_cpus(cpus::physical, six, {}, root) == 3);
    CHECK(count_cpus(cpus::logical, six, 4, root) == 4);
    CHECK(count_cpus(cpus::physical, six, 4, root) == 3);
    CHECK(count_cpus(cpus::physical, six, 2, root) == 2);
    CHECK(count_cpus(cpus::logical, six, 100, root) == 6);
    CHECK(count_cpus(cpus::logical, six, {}, tree("slice")) == 3);
    CHECK(count_cpus(cpus::logical, six, 2, tree("slice")) == 2);
    CHECK(count_cpus(cpus::logical, first_cpus(2), 4, tree("slice")) == 2);
    CHECK(count_cpus(cpus::logical, six, {}, tree("service")) == 1);
}

TEST_CASE("the user's bound is a whole number, and nothing else") {
    CHECK(process::parse_count("1") == number(1));
    CHECK(process::parse_count("18446744073709551615") == number(SIZE_MAX));
    for (const char* text :
         {"", "0", "-1", "+1", " 1", "1 ", "1.5", "2x", "all", "0x2", "18446744073709551616"}) {
        INFO(text);
        CHECK_FALSE(process::parse_count(text));
    }
    CHECK(counted_with("COPROC_MAX_CPU_COUNT=1") == "1;1;");
    const std::string own =
        std::to_string(cpu_count()) + ";" + std::to_string(cpu_count(cpus::physical)) + ";";
    CHECK(counted_with("COPROC_MAX_CPU_COUNT=") == own);
    CHECK(counted_with("COPROC_MAX_CPU_COUNT=1000000") == own);
    const std::string refusal = "coproc: the environment variable COPROC_MAX_CPU_COUNT is \"two\"; "
                                "it must be a whole number of at least 1";
    CHECK(counted_with("COPROC_MAX_CPU_COUNT=two") == refusal + refusal);
}
