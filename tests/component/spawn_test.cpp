#include "process/spawn.hpp"

#include "child_role.hpp"
#include "process/command_line.hpp"
#include "process/executable.hpp"
#include "process/modules.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <set>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace coproc;
using test::child_role;

namespace {

// ---- Roles
// -------------------------------------------------------------------------------------------

std::set<int> open_descriptors() {
    std::set<int> numbers;
    DIR* directory = ::opendir("/proc/self/fd");
    while (const dirent* each = ::readdir(directory)) {
        if (each->d_name[0] != '.') {
            numbers.insert(std::atoi(each->d_name));
        }
    }
    numbers.erase(::dirfd(directory));
    ::closedir(directory);
    return numbers;
}

std::string target_of(int descriptor) {
    char path[256] = {};
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    return ::readlink(link.c_str(), path, sizeof path - 1) > 0 ? path : "";
}

const child_role list_descriptors("list descriptors", [](const test::arguments&) {
    std::string list;
    for (const int number : open_descriptors()) {
        list += std::to_string(number) + " ";
    }
    test::write_text(3, list + "stdin=" + target_of(0));
    return 0;
});

const child_role write_to_outputs("write to outputs", [](const test::arguments&) {
    std::string list;
    for (const int number : open_descriptors()) {
        list += std::to_string(number) + " ";
    }
    list = "to output: " + list + "stdin=" + target_of(0);
    const bool fine = ::write(STDOUT_FILENO, list.data(), list.size()) > 0 &&
                      ::write(STDERR_FILENO, "to error", 8) == 8;
    return fine ? 0 : 1;
});

const child_role describe_signals("describe signals", [](const test::arguments&) {
    sigset_t mask;
    ::sigprocmask(SIG_BLOCK, nullptr, &mask);
    for (int number = 1; number <= SIGRTMAX; ++number) {
        struct sigaction action {};
        if (::sigaction(number, nullptr, &action) != 0) {
            continue;
        }
        // A sanitizer installs handlers before main; nothing is ignored in any case.
        if (::sigismember(&mask, number) == 1 || action.sa_handler == SIG_IGN) {
            return number;
        }
    }
    return ::getpgrp() == ::getpid() ? 0 : 200;
});

const child_role tell_content("tell content", [](const test::arguments& numbers) {
    std::string all;
    for (const std::string& number : numbers) {
        char text[16] = {};
        const ssize_t size = ::pread(std::stoi(number), text, sizeof text, 0);
        all.append(text, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    }
    test::write_text(3, all);
    return 0;
});

const child_role tell_environment("tell environment", [](const test::arguments& names) {
    std::string all;
    for (const std::string& name : names) {
        const char* value = std::getenv(name.c_str());
        all += std::string(value != nullptr ? value : "(none)") + ";";
    }
    test::write_text(3, all);
    return 0;
});

const child_role tell_names("tell names", [](const test::arguments&) {
    process::set_process_name(program_invocation_name);
    char name[17] = {};
    ::prctl(PR_GET_NAME, name);
    test::write_text(3, std::string(program_invocation_name) + ";" + name);
    return 0;
});

const child_role tell_directory("tell directory", [](const test::arguments&) {
    test::write_text(3, std::filesystem::current_path().string());
    return 0;
});

const child_role exit_with("exit with",
                           [](const test::arguments& status) { return std::stoi(status.at(0)); });

std::string text_of(const process::build_id& id) {
    return {reinterpret_cast<const char*>(id.data()), id.size()};
}

const child_role tell_build("tell build", [](const test::arguments&) {
    test::write_text(3, text_of(process::loaded_module::executable().identity().id));
    return 0;
});

// Runs from a file of its own, which it removes or replaces before it starts another process of
// itself.
const child_role lose_file("lose file", [](const test::arguments& how) {
    const std::string path = process::executable_path();
    if (how.at(0) == "replaced") {
        const std::string other = path + ".new";
        std::ofstream(other) << "#!/bin/false\n";
        ::chmod(other.c_str(), 0755);
        ::rename(other.c_str(), path.c_str());
    } else {
        ::unlink(path.c_str());
    }
    process::spawn_request request = test::role_request("tell build");
    request.descriptors = {3};
    process::child process = test::start(request);
    return test::wait_for_end(process) ==
                   process::exit_status{process::exit_status::kind::exited, 0}
               ? 0
               : 1;
});

const child_role start_without_error("start without standard error", [](const test::arguments&) {
    ::close(STDERR_FILENO);
    process::spawn_request request = test::role_request("list descriptors");
    request.descriptors = {3};
    process::child process = test::start(request);
    return test::wait_for_end(process) ==
                   process::exit_status{process::exit_status::kind::exited, 0}
               ? 0
               : 1;
});

process::unique_fd memory_file_with(std::string_view text) {
    process::unique_fd file = test::make_memory_file(text.size());
    REQUIRE(::pwrite(file.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    return file;
}

constexpr process::exit_status success{process::exit_status::kind::exited, 0};

std::string answer_of(process::spawn_request request) {
    auto [ours, theirs] = test::make_socket_pair();
    request.descriptors.insert(request.descriptors.begin(), theirs.get());
    process::child process = test::start(request);
    theirs.reset();
    std::string answer = test::read_to_end(ours.get());
    CHECK(test::wait_for_end(process) == success);
    return answer;
}

class temporary_directory {
public:
    temporary_directory() {
        if (::mkdtemp(path_) == nullptr) {
            throw std::runtime_error("mkdtemp");
        }
    }
    ~temporary_directory() {
        ::unlink(file("program").c_str());
        ::rmdir(path_);
    }
    [[nodiscard]] std::string file(const std::string& name) const {
        return std::string(path_) + "/" + name;
    }

private:
    char path_[32] = "/tmp/coproc-test-XXXXXX";
};

const child_role choose_executable("choose an executable", [](const test::arguments&) {
    test::write_text(3, process::worker_executable() + ", " + process::worker_executable("/a/b"));
    return 0;
});

} // namespace

// ---- Tests
// -------------------------------------------------------------------------------------------

TEST_CASE("an environment is the current one with the changes applied") {
    const char* current[] = {"A=1", "AB=2", "C=3", nullptr};
    const std::vector<std::string> changes = {"AB=x", "D=4", "A=", "D=5"};
    const std::vector<std::string> expected = {"A=", "AB=x", "C=3", "D=5"};
    CHECK(process::merge_environment(current, changes) == expected);
    CHECK(process::merge_environment(nullptr, {}).empty());
    CHECK(process::merge_environment(current, {}).size() == 3);
}

TEST_CASE("exec pointers end with null") {
    std::vector<std::string> strings = {"a", "bc"};
    const std::vector<char*> pointers = process::exec_pointers(strings);
    REQUIRE(pointers.size() == 3);
    CHECK(pointers[1] == std::string("bc"));
    CHECK(pointers[2] == nullptr);
}

TEST_CASE("a new process has the given descriptors and no others") {
    // Without close-on-exec, as a careless host opens files.
    const process::unique_fd careless(::open("/dev/zero", O_RDONLY));
    const process::unique_fd high(::fcntl(careless.get(), F_DUPFD, 200));
    const process::unique_fd page = test::make_memory_file(1);
    process::spawn_request request = test::role_request("list descriptors");
    request.descriptors = {page.get()};
    CHECK(answer_of(request) == "0 1 2 3 4 stdin=/dev/null");
}

TEST_CASE("a new process has the given outputs, and input from /dev/null") {
    int out[2];
    int error[2];
    REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
    REQUIRE(::pipe2(error, O_CLOEXEC) == 0);
    auto request = test::role_request("write to outputs");
    request.output = out[1];
    request.error = error[1];
    process::child writer = test::start(request);
    ::close(out[1]);
    ::close(error[1]);
    CHECK(test::read_to_end(out[0]) == "to output: 0 1 2 stdin=/dev/null");
    CHECK(test::read_to_end(error[0]) == "to error");
    CHECK(test::wait_for_end(writer).value == 0);
    ::close(out[0]);
    ::close(error[0]);
}

TEST_CASE("a given descriptor may have the number of another one's target") {
    const process::unique_fd first = memory_file_with("first");
    const process::unique_fd second = memory_file_with("second");
    // 4 and 5 are what the descriptors become; here they are sources, crosswise and in place.
    const process::unique_fd saved4(::fcntl(4, F_DUPFD_CLOEXEC, 100));
    const process::unique_fd saved5(::fcntl(5, F_DUPFD_CLOEXEC, 100));
    process::spawn_request request = test::role_request("tell content", {"4", "5"});
    auto [ours, theirs] = test::make_socket_pair();
    const process::unique_fd our_end(::fcntl(ours.get(), F_DUPFD_CLOEXEC, 100));
    const process::unique_fd their_end(::fcntl(theirs.get(), F_DUPFD_CLOEXEC, 100));
    const process::unique_fd first_copy(::fcntl(first.get(), F_DUPFD_CLOEXEC, 100));
    const process::unique_fd second_copy(::fcntl(second.get(), F_DUPFD_CLOEXEC, 100));
    std::string expected;
    SECTION("crosswise") {
        REQUIRE(::dup3(first_copy.get(), 5, O_CLOEXEC) == 5);
        REQUIRE(::dup3(second_copy.get(), 4, O_CLOEXEC) == 4);
        request.descriptors = {their_end.get(), 5, 4};
    }
    SECTION("in place") {
        REQUIRE(::dup3(first_copy.get(), 4, O_CLOEXEC) == 4);
        REQUIRE(::dup3(second_copy.get(), 5, O_CLOEXEC) == 5);
        request.descriptors = {their_end.get(), 4, 5};
    }
    process::child process = test::start(request);
    CHECK(test::read_bytes(our_end.get(), 11) == "firstsecond");
    CHECK(test::wait_for_end(process) == success);
    for (const auto& [saved, number] : {std::pair{saved4.get(), 4}, std::pair{saved5.get(), 5}}) {
        saved >= 0 ? ::dup3(saved, number, O_CLOEXEC) : ::close(number);
    }
}

TEST_CASE("a new process has an empty signal mask, default dispositions and a group of its own") {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before);
    const auto old_pipe = ::signal(SIGPIPE, SIG_IGN);
    const auto old_user = ::signal(SIGUSR1, SIG_IGN);
    process::child process = test::start(test::role_request("describe signals"));
    ::signal(SIGPIPE, old_pipe);
    ::signal(SIGUSR1, old_user);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    CHECK(test::wait_for_end(process) == success);
}

TEST_CASE("a new process has /dev/null where we have no standard error") {
    CHECK(answer_of(test::role_request("start without standard error")) ==
          "0 1 2 3 stdin=/dev/null");
}

TEST_CASE("variables are added to the environment") {
    ::setenv("COPROC_TEST_KEPT", "kept", 1);
    ::setenv("COPROC_TEST_CHANGED", "old", 1);
    process::spawn_request request =
        test::role_request("tell environment", {"COPROC_TEST_KEPT", "COPROC_TEST_CHANGED",
                                                "COPROC_TEST_NEW", "NO_SUCH"});
    request.variables = {"COPROC_TEST_CHANGED=new", "COPROC_TEST_NEW=a=b"};
    CHECK(answer_of(request) == "kept;new;a=b;(none);");
}

TEST_CASE("argv[0] is as given, and the process can be named after it") {
    process::spawn_request request = test::role_request("tell names");
    request.arguments[0] = "/opt/a-program-with-a-long-name";
    CHECK(answer_of(request) == "/opt/a-program-with-a-long-name;a-program-with-");
}

TEST_CASE("a spawn that fails says which step and why") {
    SECTION("no such file") {
        process::spawn_request request = test::role_request("exit with", {"0"});
        request.executable = "/nonexistent/program";
        const auto started = process::spawn(request);
        REQUIRE(!started);
        CHECK(started.error().number == ENOENT);
        CHECK(started.error().message() ==
              "execve of /nonexistent/program: No such file or directory");
    }
    SECTION("not executable") {
        process::spawn_request request = test::role_request("exit with", {"0"});
        request.executable = "/dev/null";
        const auto started = process::spawn(request);
        REQUIRE(!started);
        CHECK(started.error().message() == "execve of /dev/null: Permission denied");
    }
    SECTION("a descriptor that is not open") {
        process::spawn_request request = test::role_request("exit with", {"0"});
        request.descriptors = {987};
        const auto started = process::spawn(request);
        REQUIRE(!started);
        CHECK(started.error().message() == "duplicating a descriptor: Bad file descriptor");
    }
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("a process starts in its directory, also from a file with a relative name") {
    process::spawn_request request = test::role_request("tell directory");
    request.settings.working_directory = "/proc";
    CHECK(answer_of(request) == "/proc");
    request.executable = std::filesystem::relative(process::executable_path()).string();
    REQUIRE(request.executable.front() != '/');
    CHECK(answer_of(request) == "/proc");
}

TEST_CASE("a process whose settings are refused leaves nothing behind") {
    const std::set<int> before = open_descriptors();
    process::spawn_request request = test::role_request("exit with", {"0"});
    request.settings.limits = {{RLIMIT_NOFILE, 100, 100, "open_files"},
                               {RLIMIT_NOFILE, 200, 100, "stack_bytes"}};
    const auto started = process::spawn(request);
    REQUIRE(started.has_error());
    CHECK(started.error().number == EINVAL);
    CHECK(started.error().step == "executor_options::process.limits.stack_bytes: setrlimit to 200");
    CHECK(::waitpid(-1, nullptr, 0) == -1);
    CHECK(open_descriptors() == before);
}

TEST_CASE("without free descriptors a spawn fails, leaving no process and no descriptor") {
    const std::set<int> before = open_descriptors();
    rlimit old{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
    unsigned failures = 0;
    bool succeeded = false;
    for (rlim_t free = 0; !succeeded && free < 20; ++free) {
        // All numbers below the limit that are not in use now are used up, but for `free`.
        rlimit low = old;
        low.rlim_cur = static_cast<rlim_t>(*before.rbegin()) + 40;
        ::setrlimit(RLIMIT_NOFILE, &low);
        std::vector<process::unique_fd> filling;
        for (int next = ::dup(0); next >= 0; next = ::dup(0)) {
            filling.emplace_back(next);
        }
        filling.resize(filling.size() - free);
        process::spawn_request request = test::role_request("exit with", {"0"});
        auto started = process::spawn(request);
        filling.clear();
        ::setrlimit(RLIMIT_NOFILE, &old);
        if (started) {
            succeeded = true;
            process::child process = std::move(started).value();
            CHECK(test::wait_for_end(process) == success);
        } else {
            ++failures;
            CHECK(started.error().number == EMFILE);
            CHECK(::waitpid(-1, nullptr, 0) == -1);
        }
        CHECK(open_descriptors() == before);
    }
    CHECK(succeeded);
    CHECK(failures >= 2); // Also the one where the process is started and cannot be watched.
}

TEST_CASE("a program is executed again although its file is gone") {
    const temporary_directory directory;
    const std::string copy = directory.file("program");
    {
        std::ifstream source("/proc/self/exe", std::ios::binary);
        std::ofstream target(copy, std::ios::binary);
        target << source.rdbuf();
        REQUIRE(target.good());
    }
    REQUIRE(::chmod(copy.c_str(), 0755) == 0);
    for (const char* how : {"removed", "replaced"}) {
        INFO(how);
        process::spawn_request request = test::role_request("lose file", {how});
        request.executable = copy;
        if (std::string_view(how) == "removed") {
            // The second round needs the file again.
            REQUIRE(::link(copy.c_str(), directory.file("second").c_str()) == 0);
        }
        CHECK(answer_of(request) == text_of(process::loaded_module::executable().identity().id));
        if (std::string_view(how) == "removed") {
            REQUIRE(::rename(directory.file("second").c_str(), copy.c_str()) == 0);
        }
    }
}

TEST_CASE("an executable is chosen by option, then by environment, then it is this program") {
    const auto chosen = [](const std::string& variable) {
        process::spawn_request request = test::role_request("choose an executable");
        request.variables = {"COPROC_EXECUTABLE=" + variable};
        return answer_of(request);
    };
    CHECK(chosen("/c/d") == "/c/d, /a/b");
    const std::string own = process::worker_executable();
    CHECK(chosen("") == own + ", /a/b");
    CHECK(process::build_id_of_file(own) == process::loaded_module::executable().identity().id);
}
