#include "support/catch.hpp"
#include "support/compute.hpp"
#include "support/loop.hpp"
#include "support/meeting.hpp"
#include "support/processes.hpp"

#include <coproc/codecs/string.hpp>
#include <coproc/codecs/vector.hpp>
#include <coproc/coproc.hpp>
#include <coproc/cpu_count.hpp>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

// What workers are given that this process does not have: environment, directory, niceness, CPUs,
// limits.

namespace {

using coproc::certainty;
using coproc::errc;
using namespace std::chrono_literals;

constexpr const char* slot_variable = "COPROC_TEST_SLOT";

std::string value_of(std::string name) {
    const char* const value = std::getenv(name.c_str());
    return value == nullptr ? "(none)" : value;
}

// As a library's static constructor reads it.
const std::string before_main = value_of(slot_variable);

/// What a worker knows of its place; it stays until it is let go.
std::string tell_place(std::string meeting) {
    test::visit(meeting).await_leave();
    return std::to_string(coproc::this_worker::slot()) + " " + value_of(slot_variable) + " " +
           before_main + " " + std::filesystem::current_path().filename().string();
}

int tell_niceness() { return ::getpriority(PRIO_PROCESS, 0); }

std::vector<unsigned> tell_cpus() {
    cpu_set_t set;
    ::sched_getaffinity(0, sizeof set, &set);
    std::vector<unsigned> cpus;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) {
            cpus.push_back(cpu);
        }
    }
    return cpus;
}

std::size_t count_cpus() { return coproc::cpu_count(); }

/// Soft, then hard.
std::vector<std::uint64_t> tell_limit(int resource) {
    rlimit limit{};
    ::getrlimit(static_cast<__rlimit_resource_t>(resource), &limit);
    return {limit.rlim_cur, limit.rlim_max};
}

/// How many files could be opened, and errno then.
std::vector<int> open_files() {
    for (int opened = 0;; ++opened) {
        if (::open("/dev/null", O_RDONLY) < 0) {
            return {opened, errno};
        }
    }
}

int write_file(std::string path, int bytes) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const std::string text(static_cast<std::size_t>(bytes), 'x');
    const auto written = ::write(file, text.data(), text.size());
    return static_cast<int>(written + ::write(file, text.data(), text.size()));
}

int spin() { coproc::test::compute_for_ever(); }

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // no limits of memory there
std::size_t allocate(std::size_t bytes) { return std::vector<char>(bytes).size(); }

/// Memory that is shared, and memory that is only reserved.
int map_further(std::size_t bytes) {
    const auto maps = [bytes](int protection, int flags) {
        return ::mmap(nullptr, bytes, protection, flags | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
    };
    return maps(PROT_READ | PROT_WRITE, MAP_SHARED) && maps(PROT_NONE, MAP_PRIVATE);
}
#endif

int same(int n) { return n; }

template <class F, class... Args>
auto run_one(coproc::executor_options options, F function, Args... args) {
    options.max_workers = 1;
    asio::io_context loop;
    coproc::executor executor(loop, std::move(options));
    auto job = executor.submit(function, std::move(args)...);
    test::run(loop);
    REQUIRE(job.ready());
    return std::move(job).get();
}

template <class F, class... Args>
auto run_in(coproc::process_options process, F function, Args... args) {
    return run_one({.process = std::move(process)}, function, std::move(args)...);
}

template <class F, class... Args>
auto run_within(coproc::resource_limits limits, F function, Args... args) {
    return run_in({.limits = limits}, function, std::move(args)...);
}

/// A directory with the subdirectories "place0" and "place1".
class places {
public:
    places() : path_(std::filesystem::temp_directory_path() / "coproc-test-XXXXXX") {
        REQUIRE(::mkdtemp(path_.data()) != nullptr);
        std::filesystem::create_directory(path_ + "/place0");
        std::filesystem::create_directory(path_ + "/place1");
    }
    ~places() {
        std::error_code left;
        std::filesystem::remove_all(path_, left);
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

/// The place of the worker that answers, once it may.
asio::awaitable<std::string> place_of(coproc::job<std::string> job) {
    const auto got = co_await std::move(job);
    co_return got.value();
}

/// What a static constructor sees: a forked worker's have run before it had a slot.
std::string at_start(const std::string& value) {
    const coproc::start_method method = coproc::default_start_method();
    return method == coproc::start_method::fork || method == coproc::start_method::forkserver
               ? "(none)"
               : value;
}

asio::awaitable<void> slots_are_kept(const places& directory) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(
        loop, {.max_workers = 2,
               .environment = {{slot_variable, "gpu{slot}"}},
               .process = {.working_directory = directory.path() + "/place{slot}"}});
    test::meeting meeting(loop);
    int pid_of_first = 0;
    int pid_of_second = 0;
    auto first = executor.submit(tell_place, meeting.name());
    auto first_stays = co_await meeting.arrival(&pid_of_first);
    auto second = executor.submit(tell_place, meeting.name());
    auto second_stays = co_await meeting.arrival(&pid_of_second);
    CHECK(pid_of_first != pid_of_second);

    // The one that dies is replaced in its slot, with what belongs to that.
    ::kill(pid_of_first, SIGKILL);
    const auto lost = co_await std::move(first);
    REQUIRE(lost.has_error());
    CHECK(lost.error().worker()->slot == 0);
    auto third = executor.submit(tell_place, meeting.name());
    int pid_of_third = 0;
    auto third_stays = co_await meeting.arrival(&pid_of_third);
    CHECK(pid_of_third != pid_of_first);
    CHECK(pid_of_third != pid_of_second);
    third_stays.close();
    const std::string third_place = co_await place_of(std::move(third));
    CHECK(third_place == "0 gpu0 " + at_start("gpu0") + " place0");
    second_stays.close();
    const std::string second_place = co_await place_of(std::move(second));
    CHECK(second_place == "1 gpu1 " + at_start("gpu1") + " place1");
}

} // namespace

TEST_CASE("each slot has its environment and its directory, also after a death",
          "[process][settings]") {
    const places directory;
    test::run(slots_are_kept(directory));
    CHECK_FALSE(test::has_children());
}

TEST_CASE("test_child_env_process: workers inherit variables, and their executor overrides them",
          "[process][settings]") {
    ::setenv("COPROC_TEST_OURS", "ours", 1);
    ::setenv("COPROC_TEST_OVERRIDDEN", "ours", 1);
    const coproc::executor_options options{
        .environment = {{"COPROC_TEST_OVERRIDDEN", "theirs"}, {"COPROC_TEST_EMPTY", ""}}};
    CHECK(run_one(options, value_of, std::string("COPROC_TEST_OURS")).value() == "ours");
    CHECK(run_one(options, value_of, std::string("COPROC_TEST_OVERRIDDEN")).value() == "theirs");
    CHECK(run_one(options, value_of, std::string("COPROC_TEST_EMPTY")).value().empty());
    CHECK(value_of("COPROC_TEST_OVERRIDDEN") == "ours");
    ::unsetenv("COPROC_TEST_OURS");
    ::unsetenv("COPROC_TEST_OVERRIDDEN");
}

TEST_CASE("workers are as nice as they are told", "[process][settings]") {
    const int ours = tell_niceness();
    CHECK(run_in({}, tell_niceness).value() == ours);
    CHECK(run_in({.nice = 3}, tell_niceness).value() == std::min(ours + 3, 19));
    CHECK(run_in({.nice = 19}, tell_niceness).value() == 19);
    CHECK(tell_niceness() == ours);
}

TEST_CASE("a worker runs on the CPUs of its slot", "[process][settings]") {
    const std::vector<unsigned> ours = tell_cpus();
    CHECK(run_in({}, tell_cpus).value() == ours);
    for (const unsigned cpu : ours) {
        CHECK(run_in({.affinity = {{cpu}}}, tell_cpus).value() == std::vector{cpu});
    }
    CHECK(run_in({.affinity = {{ours.back()}}}, count_cpus).value() == 1);
    CHECK(tell_cpus() == ours);
}

TEST_CASE("a worker has the limits that it is given", "[process][settings]") {
    using pair = std::vector<std::uint64_t>;
    CHECK(run_within({.open_files = 64}, tell_limit, RLIMIT_NOFILE).value() == pair{64, 64});
    CHECK(run_within({.file_bytes = 4096}, tell_limit, RLIMIT_FSIZE).value() == pair{4096, 4096});
    CHECK(run_within({.stack_bytes = 1 << 20}, tell_limit, RLIMIT_STACK).value() ==
          pair{1 << 20, 1 << 20});
    CHECK(run_within({.cpu_time = 1500ms}, tell_limit, RLIMIT_CPU).value() == pair{2, 3});

    const auto files = run_within({.open_files = 64}, open_files).value();
    CHECK(files.front() > 16);
    CHECK(files.front() < 64);
    CHECK(files.back() == EMFILE);
}

TEST_CASE("a task that exceeds a limit ends with what that does", "[process][settings]") {
    const places directory;
    const std::string file = directory.path() + "/file";
    CHECK(run_within({.file_bytes = 100}, write_file, file, 50).value() == 100);
    const auto too_long = run_within({.file_bytes = 100}, write_file, file, 101);
    REQUIRE(too_long.has_error());
    CHECK(too_long.error() == errc::worker_terminated);
    CHECK(too_long.error().worker()->signal == SIGXFSZ);
    const auto too_much = run_within({.cpu_time = 1s}, spin);
    REQUIRE(too_much.has_error());
    CHECK(too_much.error() == errc::worker_terminated);
    CHECK(too_much.error().worker()->signal == SIGXCPU);
    CHECK(too_much.error().out_of_memory() == coproc::memory_shortage::no);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // they map terabytes
TEST_CASE("a task that exceeds its memory has std::bad_alloc", "[process][settings]") {
    constexpr std::size_t limit = std::size_t{512} << 20;
    CHECK(run_within({.memory_bytes = limit}, allocate, limit / 4).value() == limit / 4);
    const auto got = run_within({.memory_bytes = limit}, allocate, limit);
    REQUIRE(got.has_error());
    CHECK(got.error() == errc::task_threw);
    CHECK_THROWS_AS(got.error().raise(), std::bad_alloc);
    CHECK(got.error().out_of_memory() == coproc::memory_shortage::certain);
    // What no other process is the poorer for does not count.
    CHECK(run_within({.memory_bytes = limit}, map_further, 2 * limit).value() == 1);
}

TEST_CASE("a worker works within the least memory that it may be given", "[process][settings]") {
    constexpr std::size_t least = std::size_t{64} << 20;
    CHECK(run_within({.memory_bytes = least}, same, 1).value() == 1);
    CHECK(run_within({.memory_bytes = least}, tell_limit, RLIMIT_DATA).value() ==
          std::vector<std::uint64_t>{least, least});
}
#endif

TEST_CASE("what the system refuses of a worker is told with the name of the field",
          "[process][settings]") {
    const auto check = [](const coproc::result<int>& got, const std::string& cause, int error) {
        REQUIRE(got.has_error());
        INFO(got.error().message());
        CHECK(got.error() == errc::spawn_failed);
        CHECK(got.error().certainty() == certainty::not_started);
        const std::string sentence =
            "same: no worker process could be started: executor_options::process." + cause + ": " +
            std::generic_category().message(error) +
            "; the task did not start; remove the cause, then submit it again";
        CHECK(got.error().message().ends_with(sentence));
    };
    const std::size_t descriptors = test::open_descriptors();
    check(run_in({.working_directory = "/no/such/place{slot}"}, same, 1),
          "working_directory: chdir to /no/such/place0", ENOENT);
    check(run_in({.working_directory = "/dev/null"}, same, 1),
          "working_directory: chdir to /dev/null", ENOTDIR);
    check(run_in({.affinity = {{65534, 65535}}}, same, 1),
          "affinity: sched_setaffinity to CPU 65534 65535", EINVAL);
    // More than the kernel gives to anybody.
    check(run_within({.open_files = std::size_t{1} << 40}, same, 1),
          "limits.open_files: setrlimit to 1099511627776", EPERM);
    const auto too_long =
        run_one({.environment = {{"A", std::string(std::size_t{1} << 20, 'x')}}}, same, 1);
    REQUIRE(too_long.has_error());
    CHECK(too_long.error() == errc::spawn_failed);
    CHECK(too_long.error().message().find(std::generic_category().message(E2BIG)) !=
          std::string::npos);
    CHECK_FALSE(test::has_children());
    CHECK(test::open_descriptors() == descriptors);
}
