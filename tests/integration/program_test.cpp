#include "integration/samples/plugin.hpp"
#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/matchers.hpp"
#include "support/processes.hpp"

#include <coproc/coproc.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>

#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

// Workers that execute another program than the one that submits.

namespace {

using coproc::certainty;
using coproc::errc;
using coproc::start_method;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

int same(int n) { return n; }
void prepare_nothing() {}

fs::path own_executable() { return fs::read_symlink("/proc/self/exe"); }

std::string beside(const char* name) { return own_executable().parent_path() / name; }

template <class Function>
Function* plugin_function(const char* name) {
    void* const library = ::dlopen(beside("libintegration_plugin.so").c_str(), RTLD_NOW);
    REQUIRE(library != nullptr);
    return reinterpret_cast<Function*>(::dlsym(library, name));
}

/// Whether these cases lie in the executable, and not in a library that another program can load.
bool lies_in_executable() {
    Dl_info place{};
    REQUIRE(::dladdr(reinterpret_cast<const void*>(&same), &place) != 0);
    return fs::canonical(place.dli_fname) == own_executable();
}

coproc::executor_options with_program(std::string program = {}) {
    return {.max_workers = 1, .start = start_method::program, .program = std::move(program)};
}

struct started {
    asio::io_context loop;
    coproc::executor executor;

    explicit started(coproc::executor_options options) : executor(loop, std::move(options)) {}

    template <class... Args>
    coproc::result<int> run(Args&&... args) {
        auto job = executor.submit(std::forward<Args>(args)...);
        test::run(loop);
        REQUIRE(job.ready());
        return std::move(job).get();
    }

    /// A function of a shared library, submitted by that library: 110 more.
    coproc::result<int> run_plugin(int n) {
        std::optional<coproc::job<int>> job;
        plugin_function<submit_function>("plugin_submit")(executor, n, job);
        test::run(loop);
        REQUIRE(job->ready());
        return std::move(*job).get();
    }

    /// The file that the one worker executes.
    fs::path executed() {
        const std::vector<pid_t> workers = test::children();
        REQUIRE(workers.size() == 1);
        return fs::read_symlink("/proc/" + std::to_string(workers.front()) + "/exe");
    }
};

void check_failure(const coproc::result<int>& got, errc code, const std::string& says) {
    REQUIRE(got.has_error());
    INFO(got.error().message());
    CHECK(got.error() == code);
    CHECK(got.error().certainty() == certainty::not_started);
    CHECK_THAT(got.error().message(), test::contains_text(says));
}

/// A script that can be executed.
class script {
public:
    explicit script(const std::string& commands)
        : path_(fs::temp_directory_path() /
                ("coproc-script-" + std::to_string(::getpid()) + "-" + std::to_string(++count_))) {
        std::ofstream(path_) << "#!/bin/sh\n" << commands << '\n';
        fs::permissions(path_, fs::perms::owner_all);
    }
    script(const script&) = delete;
    ~script() { fs::remove(path_); }

    std::string path() const { return path_; }

private:
    static inline int count_ = 0;
    fs::path path_;
};

} // namespace

TEST_CASE("coproc-worker runs functions of shared libraries", "[process][program]") {
    started here(with_program());
    CHECK(here.run_plugin(5).value() == 115);
    CHECK(here.run_plugin(6).value() == 116);
    CHECK(here.executed().filename() == "coproc-worker");
    CHECK(here.executor.stats().started_workers == 1);
}

TEST_CASE("a function of the executable is unknown to another program, and it says what to do",
          "[process][program]") {
    started here(with_program());
    if (lies_in_executable()) {
        check_failure(
            here.run(same, 1), errc::unknown_function,
            "same: the worker does not have this function: its code, or that of the submit which "
            "calls it, lies in the executable " +
                own_executable().string() +
                " itself, which another program cannot load; the task did not start; put both into "
                "a shared library, export it from the worker's program (coproc::named), or use "
                "start_method::exec");
        auto* const answer = plugin_function<answer_function>("plugin_answer");
        check_failure(here.run(answer, 5), errc::unknown_function, "that of the submit which");
        check_failure(here.run(coproc::bind_front(same, 1)), errc::unknown_function,
                      "put both into a shared library");
    }
    CHECK(here.run_plugin(5).value() == 115);
    CHECK(here.executor.stats().started_workers == 1);
}

TEST_CASE("a program of one's own runs what it exports and what libraries have",
          "[process][program]") {
    started here(with_program(beside("integration_serving")));
    CHECK(here.run(coproc::named<int(int)>("twice_there"), 4).value() == 8);
    CHECK(here.run_plugin(5).value() == 115);
    CHECK(here.executed().filename() == "integration_serving");
    check_failure(here.run(coproc::named<int(int)>("thrice_there"), 1), errc::unknown_function,
                  "it exports nothing as \"thrice_there\"");
    CHECK(here.executor.stats().started_workers == 1);
}

TEST_CASE("a program that is this one runs its functions", "[process][program]") {
    started here(with_program(own_executable()));
    CHECK(here.run(same, 1).value() == 1);
    CHECK(here.run_plugin(5).value() == 115);
}

TEST_CASE("a program that is no worker is told by its name, and breaks its executor",
          "[process][program]") {
    const script talks("printf 'this is no frame, and a long one it is' >&3; sleep 100");
    const script ends("exit 7");
    struct wrong_program {
        std::string file;
        errc code;
        std::string says;
        coproc::duration start_timeout = test::patience;
    };
    const std::vector<wrong_program> programs{
        {"/no/such/program", errc::spawn_failed, "execve of /no/such/program: No such file"},
        {"/etc/passwd", errc::spawn_failed, "execve of /etc/passwd: Permission denied"},
        {"/bin/true", errc::handshake_failed, " (/bin/true) exited with status 0"},
        {talks.path(), errc::handshake_failed, " (" + talks.path() + ") was refused: it sent no"},
        {beside("integration_hanging"), errc::handshake_failed, " did not say hello in time",
         200ms},
        {beside("integration_plain"), errc::handshake_failed, "integration_plain) exited with"},
    };
    for (const wrong_program& wrong : programs) {
        INFO(wrong.file);
        coproc::executor_options options = with_program(wrong.file);
        options.max_failed_starts = 2;
        options.start_timeout = wrong.start_timeout;
        options.capture_output = true;
        started here(options);
        check_failure(here.run(same, 1), wrong.code, wrong.says);
        check_failure(here.run(same, 1), errc::executor_broken, wrong.file);
        CHECK_FALSE(test::has_children());
    }
}

TEST_CASE("an initializer of the executable fails in another program with its reason",
          "[process][program]") {
    coproc::executor_options options = with_program(beside("integration_serving"));
    options.initializers = {coproc::call(prepare_nothing)};
    options.max_failed_starts = 1;
    started here(options);
    const auto got = here.run_plugin(5);
    if (lies_in_executable()) {
        check_failure(got, errc::initializer_failed, "lies in the executable");
    } else {
        CHECK(got.value() == 115);
    }
}

TEST_CASE("a program goes with its start method alone, and is a path", "[process][program]") {
    const auto refuses = [](const coproc::executor_options& options, const std::string& says) {
        asio::io_context loop;
        CHECK_THROWS_AS(coproc::executor(loop, options), std::invalid_argument);
        CHECK_THROWS_WITH(coproc::executor(loop, options), test::contains_text(says));
    };
    refuses({.start = start_method::exec, .program = "/bin/true"},
            "executor_options::program must be empty unless start is start_method::program");
    refuses(with_program(std::string("/bin/tr\0ue", 10)),
            "executor_options::program must be a path");
    if (coproc::default_start_method() != start_method::program) {
        refuses({.start = start_method::program, .executable = "/bin/true"},
                "executor_options::executable must be empty with start_method::program");
    }
}

TEST_CASE("coproc-worker that somebody else starts says what it is for", "[process][program]") {
    started here(with_program());
    REQUIRE(here.run_plugin(5).value() == 115);
    const std::string command = here.executed().string() + " 2>&1";
    std::FILE* const pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    char line[200] = {};
    CHECK(std::fgets(line, sizeof line, pipe) != nullptr);
    CHECK(WEXITSTATUS(::pclose(pipe)) == 2);
    CHECK_THAT(line, test::contains_text("start_method::program"));
}
