#include "process/oom_kills.hpp"

#include "support/catch.hpp"

#include <cstdint>
#include <optional>
#include <string>

using coproc::process::oom_kill_claims;
using coproc::process::oom_kill_counter;
using coproc::process::parse_oom_kills;

namespace {

/// What a recorded tree must give: the file that counts, and how many kills it has.
void check_tree(const std::string& name, const std::string& file,
                std::optional<std::uint64_t> kills) {
    INFO(name);
    const std::string root = std::string(COPROC_TEST_DATA) + "/oom/" + name;
    const oom_kill_counter found = oom_kill_counter::find(root);
    CHECK(found.file() == (file.empty() ? "" : root + file));
    CHECK(found.read() == kills);
}

} // namespace

TEST_CASE("the number of kills is read from lines of names and numbers") {
    CHECK(parse_oom_kills("oom_kill 3\n") == 3U);
    CHECK(parse_oom_kills("low 0\noom 9\noom_kill 18446744073709551615") == 18446744073709551615U);
    CHECK(parse_oom_kills("oom_group_kill 4\noom_kill 0\n") == 0U);
    CHECK_FALSE(parse_oom_kills(""));
    CHECK_FALSE(parse_oom_kills("oom_kill_disable 1\nunder_oom 0\n"));
    CHECK_FALSE(parse_oom_kills("oom_kill \n"));
    CHECK_FALSE(parse_oom_kills("oom_kill 3x\n"));
    CHECK_FALSE(parse_oom_kills("oom_kill -3\n"));
    CHECK_FALSE(parse_oom_kills("oom_kill 18446744073709551616\n"));
}

TEST_CASE("kills are counted where the process is, else above it, else on the machine") {
    const std::string slice = "/user.slice/user-1000.slice/user@1000.service/app.slice";
    check_tree("unified", "/sys/fs/cgroup" + slice + "/run.scope/memory.events", 2U);
    check_tree("hybrid", "/sys/fs/cgroup/memory/service/job/memory.oom_control", 3U);
    check_tree("above", "/sys/fs/cgroup/system.slice/memory.events", 5U);
    check_tree("container", "/sys/fs/cgroup/memory.events", 1U);
    check_tree("outside", "/proc/vmstat", 8U);
    check_tree("machine", "/proc/vmstat", 12U);
    check_tree("old", "", std::nullopt);
    check_tree("no such tree", "", std::nullopt);
}

TEST_CASE("this system counts, too") {
    const oom_kill_counter here = oom_kill_counter::find();
    const auto before = here.read();
    REQUIRE(before);
    CHECK(here.read() >= before);
}

TEST_CASE("each kill explains one death") {
    oom_kill_claims claims;
    CHECK_FALSE(claims.claim(0, 0));
    CHECK_FALSE(claims.claim(7, 7));
    CHECK_FALSE(claims.claim(7, 6)); // it counts something else now
    // Two workers, one kill.
    CHECK(claims.claim(7, 8));
    CHECK_FALSE(claims.claim(7, 8));
    // Two kills before one is noticed: both workers are explained.
    CHECK(claims.claim(7, 10));
    CHECK(claims.claim(7, 10));
    CHECK_FALSE(claims.claim(7, 10));
    // A worker that was started after kill 11, which an older one claims: kill 12 is its own.
    CHECK(claims.claim(10, 11));
    CHECK(claims.claim(10, 12));
    CHECK_FALSE(claims.claim(11, 12));
    CHECK(claims.claim(11, 13));
}

TEST_CASE("the oldest claims are forgotten, and the newest are not") {
    oom_kill_claims claims;
    for (std::uint64_t kill = 1; kill <= 1000; ++kill) {
        REQUIRE(claims.claim(kill - 1, kill));
        REQUIRE_FALSE(claims.claim(kill - 1, kill));
    }
    CHECK_FALSE(claims.claim(990, 1000));
    CHECK(claims.claim(0, UINT64_MAX)); // quickly
}
