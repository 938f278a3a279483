#include "worker/crash_handler.hpp"

#include "child_role.hpp"
#include "process/crash_report.hpp"
#include "process/modules.hpp"
#include "support/catch.hpp"
#include "symbols/symbols.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <map>
#include <random>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace coproc;
using memory::crash_record;
using memory::crash_state;
using process::exit_status;
using test::child_role;

#if defined(__SANITIZE_ADDRESS__)
// The sanitizer's handlers are in place before ours, get the signal after us, and exit.
constexpr bool sanitizer_takes_faults = true;
#else
constexpr bool sanitizer_takes_faults = false;
#endif

// ---- What crashes
// ------------------------------------------------------------------------------------

// UndefinedBehaviorSanitizer would stop these before they crash.
#define CRASHING [[gnu::noinline, gnu::no_sanitize("undefined")]]

namespace crashing {

volatile int zero = 0;
volatile int one = 1;
volatile int sink = 0;

CRASHING void write_to_null() {
    *reinterpret_cast<volatile int*>(static_cast<std::uintptr_t>(zero)) = 1;
}

CRASHING void call_null() {
    reinterpret_cast<void (*)()>(static_cast<std::uintptr_t>(zero))();
    sink = 1;
}

CRASHING void divide_by_zero() { sink = one / zero; }

CRASHING void illegal_instruction() { __builtin_trap(); }

CRASHING void read_past_file() {
    const process::unique_fd file = test::make_memory_file(0);
    const void* memory = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file.get(), 0);
    sink = *static_cast<const volatile int*>(memory);
}

CRASHING void call_abort() { std::abort(); }

CRASHING void throw_something() { throw std::runtime_error("nobody catches"); }

CRASHING void let_exception_out() noexcept { throw_something(); }

CRASHING void raise_trap() { sink = ::raise(SIGTRAP); }

CRASHING void raise_bad_call() { sink = ::raise(SIGSYS); }

CRASHING int overflow_stack(int depth) { // NOLINT(misc-no-recursion)
    volatile char frame[256];
    frame[0] = static_cast<char>(depth);
    return zero == 0 ? overflow_stack(depth + 1) + frame[0] : 0;
}

CRASHING void overflow() { sink = overflow_stack(0); }

CRASHING void in_two_threads() {
    std::thread other(&write_to_null);
    write_to_null();
    other.join();
}

CRASHING void in_another_thread() { std::thread(&write_to_null).join(); }

struct way {
    void (*crash)();
    int signal;
    const char* function; // among the innermost frames
};

const std::map<std::string, way>& ways() {
    static const std::map<std::string, way> all = {
        {"write to null", {&write_to_null, SIGSEGV, "crashing::write_to_null"}},
        {"call null", {&call_null, SIGSEGV, "crashing::call_null"}},
        {"divide by zero", {&divide_by_zero, SIGFPE, "crashing::divide_by_zero"}},
        {"illegal instruction", {&illegal_instruction, SIGILL, "crashing::illegal_instruction"}},
        {"read past file", {&read_past_file, SIGBUS, "crashing::read_past_file"}},
        {"abort", {&call_abort, SIGABRT, "crashing::call_abort"}},
        {"exception", {&let_exception_out, SIGABRT, "crashing::let_exception_out"}},
        {"trap", {&raise_trap, SIGTRAP, "crashing::raise_trap"}},
        {"bad system call", {&raise_bad_call, SIGSYS, "crashing::raise_bad_call"}},
        {"stack overflow", {&overflow, SIGSEGV, "crashing::overflow_stack"}},
        {"two threads", {&in_two_threads, SIGSEGV, "crashing::write_to_null"}},
        {"another thread", {&in_another_thread, SIGSEGV, "crashing::write_to_null"}},
    };
    return all;
}

} // namespace crashing

namespace {

constexpr std::size_t page_bytes = sizeof(crash_record);

crash_record& map_record(int file) {
    void* memory = ::mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) {
        throw std::runtime_error("mmap");
    }
    return *static_cast<crash_record*>(memory);
}

// What sanitizers and the runtime say about crashes on purpose would only confuse.
void be_silent() {
    const process::unique_fd null_device(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    ::dup2(null_device.get(), STDERR_FILENO);
}

const child_role crash("crash", [](const test::arguments& how) {
    be_silent();
    worker::install_crash_handler({.record = &map_record(4), .socket = 3});
    crashing::ways().at(how.at(0)).crash();
    return 0;
});

const child_role crash_in_child("crash in a forked child", [](const test::arguments&) {
    worker::install_crash_handler({.record = &map_record(4), .socket = 3});
    const pid_t pid = ::fork();
    if (pid == 0) {
        std::abort();
    }
    int word = 0;
    ::waitpid(pid, &word, 0);
    return WIFSIGNALED(word) && WTERMSIG(word) == SIGABRT ? 0 : 1;
});

const child_role tell_core_limit("tell core limit", [](const test::arguments& wanted) {
    worker::install_crash_handler(
        {.record = &map_record(4), .core_dumps = wanted.at(0) == "wanted"});
    rlimit limit{};
    ::getrlimit(RLIMIT_CORE, &limit);
    // No limit of one byte or more gives a dump; see limit_core_dumps.
    test::write_text(3, limit.rlim_cur <= 1 ? "none" : "some");
    return 0;
});

const child_role wait_for_signal("wait for a signal", [](const test::arguments&) -> int {
    be_silent();
    worker::install_crash_handler({.record = &map_record(4), .socket = 3});
    test::write_text(3, "r");
    for (;;) {
        ::pause();
    }
});

struct crashed_worker {
    process::unique_fd socket;
    process::unique_fd page;
    crash_record& record;
    process::child process;
};

crashed_worker start_worker(const std::string& role, test::arguments given = {}) {
    auto [ours, theirs] = test::make_socket_pair();
    process::unique_fd page = test::make_memory_file(page_bytes);
    process::spawn_request request = test::role_request(role, std::move(given));
    request.descriptors = {theirs.get(), page.get()};
    crash_record& record = map_record(page.get());
    return {std::move(ours), std::move(page), record, test::start(request)};
}

void check_status(const exit_status& status, int signal) {
    const bool exited_by_sanitizer =
        sanitizer_takes_faults && status.how == exit_status::kind::exited && status.value != 0;
    if (!exited_by_sanitizer) {
        CHECK(describe(status) == "was killed by " + process::signal_name(signal));
    }
}

} // namespace

// ---- Tests
// -------------------------------------------------------------------------------------------

TEST_CASE("a fatal signal is told before the process dies of it, with the place in the source",
          "[signals]") {
    for (const auto& [name, way] : crashing::ways()) {
        INFO(name);
        crashed_worker worker = start_worker("crash", {name});
        CHECK(test::read_to_end(worker.socket.get()) == std::string(16, '\0'));
        check_status(test::wait_for_end(worker.process), way.signal);

        const auto report = process::read_crash_report(worker.record);
        REQUIRE(report.has_value());
        CHECK(process::signal_name(report->signal) == process::signal_name(way.signal));
        CHECK(report->unwound);
        REQUIRE(!report->frames.empty());
        std::string backtrace;
        bool found = false;
        for (const process::crash_frame& frame : report->frames) {
            const symbols::location place = symbols::describe(frame);
            backtrace += symbols::to_string(place) + "\n";
            found = found || (place.function == std::string(way.function) &&
                              place.file.ends_with("crash_test.cpp") && place.line > 0);
        }
        INFO(backtrace);
        CHECK(found);
        ::munmap(&worker.record, page_bytes);
    }
}

TEST_CASE("the address that a fault touched is told", "[signals]") {
    crashed_worker worker = start_worker("crash", {"write to null"});
    test::wait_for_end(worker.process);
    const auto report = process::read_crash_report(worker.record);
    REQUIRE(report.has_value());
    CHECK(report->address == 0);
    CHECK(report->code == SEGV_MAPERR);
    REQUIRE(!report->frames.empty());
    // The innermost frame is the function itself, not a handler.
    CHECK(symbols::describe(report->frames.front()).function == "crashing::write_to_null");
    ::munmap(&worker.record, page_bytes);
}

TEST_CASE("a fatal signal from outside is told too", "[signals]") {
    crashed_worker worker = start_worker("wait for a signal");
    REQUIRE(test::read_bytes(worker.socket.get(), 1) == "r");
    CHECK(!process::has_crashed(worker.record));
    CHECK(worker.process.send_signal(SIGSEGV));
    CHECK(test::read_to_end(worker.socket.get()) == std::string(16, '\0'));
    check_status(test::wait_for_end(worker.process), SIGSEGV);
    CHECK(process::has_crashed(worker.record));
    ::munmap(&worker.record, page_bytes);
}

TEST_CASE("the crash of a process that a task forked is not the worker's") {
    crashed_worker worker = start_worker("crash in a forked child");
    CHECK(test::read_to_end(worker.socket.get()).empty());
    CHECK(describe(test::wait_for_end(worker.process)) == "exited with status 0");
    CHECK(!process::has_crashed(worker.record));
    ::munmap(&worker.record, page_bytes);
}

TEST_CASE("core dumps are off unless they are wanted") {
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_CORE, &limit) == 0);
    for (const char* wanted : {"wanted", "not wanted"}) {
        crashed_worker worker = start_worker("tell core limit", {wanted});
        const bool expected = std::string_view(wanted) == "wanted" && limit.rlim_max > 1;
        CHECK(test::read_to_end(worker.socket.get()) == (expected ? "some" : "none"));
        test::wait_for_end(worker.process);
        ::munmap(&worker.record, page_bytes);
    }
}

TEST_CASE("a record of any content gives a report or nothing") {
    const auto record = std::make_unique<crash_record>();
    CHECK(!process::read_crash_report(*record));

    std::mt19937 random(20260101);
    const auto fill = [&] {
        auto* bytes = reinterpret_cast<unsigned char*>(record.get());
        std::generate(bytes, bytes + sizeof *record,
                      [&] { return static_cast<unsigned char>(random()); });
    };
    for (int round = 0; round < 200; ++round) {
        fill();
        record->state = crash_state::unwound;
        record->signal = SIGSEGV;
        const auto report = process::read_crash_report(*record);
        REQUIRE(report.has_value());
        CHECK(report->frames.size() <= crash_record::max_frames);
        record->signal = round % 2 == 0 ? -round : 65 + round;
        CHECK(!process::read_crash_report(*record));
        record->signal = SIGSEGV;
        record->state = static_cast<crash_state>(3 + round);
        CHECK(!process::read_crash_report(*record));
    }
}

TEST_CASE("frames in hostile ranges are bare addresses or harmless paths") {
    const auto record = std::make_unique<crash_record>();
    record->state = crash_state::unwound;
    record->signal = SIGILL;
    record->frame_count = 3;
    record->frames[0] = ~std::uint64_t{0};
    record->frames[1] = 0x2000;
    record->frames[2] = 5;
    record->module_count = ~std::uint32_t{0};
    record->modules[0] = {0x1000, ~std::uint64_t{0} - 0x1000, {}};
    std::memset(record->modules[0].path, 'x', sizeof record->modules[0].path);
    const auto report = process::read_crash_report(*record);
    REQUIRE(report.has_value());
    REQUIRE(report->frames.size() == 3);
    CHECK(report->frames[0].module.empty());
    CHECK(report->frames[1].module == std::string(sizeof record->modules[0].path, 'x'));
    CHECK(report->frames[1].offset == 0x1000);
    CHECK(report->frames[1].here == nullptr);
    CHECK(report->frames[2].module.empty());
    CHECK(symbols::describe(report->frames[2]).function == "0x5");
}

TEST_CASE("a record without frames is read while the worker still unwinds") {
    const auto record = std::make_unique<crash_record>();
    record->state = crash_state::recorded;
    record->signal = SIGBUS;
    record->frame_count = 64;
    const auto report = process::read_crash_report(*record);
    REQUIRE(report.has_value());
    CHECK(!report->unwound);
    CHECK(report->frames.empty());
}
