#include "driver/check_options.hpp"

#include "coproc/cpu_count.hpp"
#include "coproc/detail/encoded_call.hpp"
#include "coproc/detail/stream_core.hpp"
#include "coproc/executor.hpp"
#include "driver/default_start.hpp"
#include "process/environment_number.hpp"
#include "start/default_method.hpp"
#include "start/method_names.hpp"
#include "worker/identity.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>

namespace coproc {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw std::invalid_argument("coproc: " + why); }

void check(bool right, const char* field, const char* rule) {
    if (!right) {
        refuse(std::string("executor_options::") + field + " must be " + rule);
    }
}

bool has_zero(std::string_view text) { return text.find('\0') != text.npos; }

bool is_size(std::size_t max_workers) { return max_workers >= 1 && max_workers <= 65536; }

/// The environment may give any program another method, for a debugger: then what that method does
/// not have is not there, and that is no contradiction.
bool was_asked_for(start_method method, const executor_options& given) {
    return given.start == method && default_start_method() != method;
}

/// What only a process has.
void check_for_threads(const executor_options& given) {
    if (!was_asked_for(start_method::in_process, given)) {
        return;
    }
    check(given.executable.empty(), "executable",
          "empty with start_method::in_process, which executes no file");
    check(!given.capture_output, "capture_output",
          "false with start_method::in_process, whose workers write to this process's outputs");
    check(!given.core_dumps, "core_dumps",
          "false with start_method::in_process, where a crash is this process's");
    check(given.leak.hard == no_bound, "leak.hard",
          "unset with start_method::in_process, whose workers have this process's memory");
    check(given.environment.empty(), "environment",
          "empty with start_method::in_process, whose workers have this process's");
    const char* const unset =
        "unset with start_method::in_process, whose workers are threads of this process";
    check(given.process.working_directory.empty(), "process.working_directory", unset);
    check(given.process.nice == 0, "process.nice", unset);
    check(given.process.affinity.empty(), "process.affinity", unset);
    check(given.process.limits == resource_limits(), "process.limits", unset);
}

/// Of two files one would be executed, and the other only seem to be.
void check_program(const executor_options& given) {
    check(!has_zero(given.program), "program", "a path, which has no zero byte");
    check(given.executable.empty() || !was_asked_for(start_method::program, given), "executable",
          "empty with start_method::program, which executes executor_options::program");
    const bool none_executed =
        given.start == start_method::in_process && !was_asked_for(start_method::in_process, given);
    check(given.program.empty() || given.start == start_method::program || none_executed, "program",
          "empty unless start is start_method::program");
}

void check_leak(const leak_options& given) {
    constexpr std::size_t megabyte = 1'000'000;
    check(given.period > duration::zero(), "leak.period", "positive");
    check(given.max_growth >= megabyte, "leak.max_growth", "at least 1 MB");
    check(given.absolute >= megabyte, "leak.absolute", "at least 1 MB");
    check(given.hard >= megabyte, "leak.hard", "at least 1 MB");
}

void check_environment(const std::map<std::string, std::string>& environment) {
    for (const auto& [name, value] : environment) {
        check(!name.empty() && name.find('=') == name.npos && !has_zero(name), "environment",
              ("without a name that is empty or has a '=' or a zero byte; it has \"" + name + "\"")
                  .c_str());
        check(!has_zero(value), "environment",
              ("without a zero byte in a value; it has one in that of \"" + name + "\"").c_str());
        check(name != worker::identity_variable, "environment",
              "without COPROC_WORKER, by which a worker knows what it is");
    }
}

void check_calls(const executor_options& given, const std::vector<call>& calls, const char* field) {
    for (const call& next : calls) {
        const auto& encoded = detail::encoded_call::of(next);
        check(encoded != nullptr, field, "without a call that was moved from");
        check(encoded->arguments.size() < given.max_message_bytes, field,
              ("shorter than max_message_bytes; one has " +
               std::to_string(encoded->arguments.size()) + " bytes")
                  .c_str());
    }
}

void check_limits(const resource_limits& limits) {
    constexpr std::size_t kibibyte = 1024;
    check(limits.memory_bytes >= 64 * kibibyte * kibibyte, "process.limits.memory_bytes",
          "at least 64 MiB");
    check(limits.cpu_time > duration::zero(), "process.limits.cpu_time", "positive");
    check(limits.open_files >= 16, "process.limits.open_files", "at least 16");
    check(limits.stack_bytes >= 256 * kibibyte, "process.limits.stack_bytes", "at least 256 KiB");
}

void check_process(const process_options& given) {
    constexpr unsigned cpus = 65536;
    check(!has_zero(given.working_directory), "process.working_directory",
          "a path, which has no zero byte");
    check(given.nice >= -20 && given.nice <= 19, "process.nice", "between -20 and 19");
    for (const std::vector<unsigned>& slot : given.affinity) {
        const bool fine = !slot.empty() && std::all_of(slot.begin(), slot.end(),
                                                       [](unsigned cpu) { return cpu < cpus; });
        check(fine, "process.affinity", "lists of at least one CPU, with numbers below 65536");
    }
    check_limits(given.limits);
}

} // namespace

executor_options detail::complete(executor_options given) {
    if (given.start == start::unknown_method) {
        refuse("the environment variable COPROC_START_METHOD is \"" + start_method_variable() +
               "\"; known are " + start::known_methods());
    }
    check(!to_string(given.start).empty(), "start", ("one of " + start::known_methods()).c_str());
    if (!given.max_workers) {
        given.max_workers = cpu_count();
    }
    given.idle_timeout = given.idle_timeout.value_or(no_limit);
    check(is_size(*given.max_workers), "max_workers", "between 1 and 65536");
    check(given.min_workers <= *given.max_workers, "min_workers", "at most max_workers");
    given.watch_idle = given.watch_idle || given.min_workers > 0 || given.idle_timeout != no_limit;
    check(given.max_queued > 0, "max_queued", "at least 1");
    check(given.max_tasks_per_worker <= std::numeric_limits<std::uint32_t>::max(),
          "max_tasks_per_worker", "at most 2^32 - 1");
    check(given.max_worker_age > duration::zero(), "max_worker_age", "positive");
    check(given.max_failed_starts > 0, "max_failed_starts", "at least 1");
    check(given.start_timeout > duration::zero(), "start_timeout", "positive");
    check(given.initializer_timeout > duration::zero(), "initializer_timeout", "positive");
    check(given.exit_timeout > duration::zero(), "exit_timeout", "positive");
    check(!has_zero(given.executable), "executable", "a path, which has no zero byte");
    check_leak(given.leak);
    check_environment(given.environment);
    check_process(given.process);
    check_for_threads(given);
    check_program(given);
    check(given.max_message_bytes >= 64 * 1024 && given.max_message_bytes <= (std::size_t{1} << 62),
          "max_message_bytes", "between 64 KiB and 2^62");
    check(given.start != start_method::fork || given.executable.empty(), "executable",
          "empty with start_method::fork, which executes no file");
    check_calls(given, given.initializers, "initializers");
    check_calls(given, given.preload, "preload");
    check(given.preload.empty() || given.start == start_method::forkserver, "preload",
          "empty unless `start` is start_method::forkserver: nothing else forks");
    return given;
}

std::size_t detail::max_nesting_depth() {
    constexpr std::size_t unless_given = 10;
    // Never destroyed: executors are made also while static objects are destroyed.
    static const process::environment_number& given =
        *new process::environment_number("COPROC_MAX_DEPTH");
    return given.get().value_or(unless_given);
}

void detail::check_for_own_thread(const executor_options& given) {
    check(
        given.start != start_method::fork, "start",
        "another than start_method::fork for reusable executors and for those with own_thread: it "
        "is for programs with one thread, and these have one of their own");
}

void detail::check_size(std::size_t max_workers) {
    if (!is_size(max_workers)) {
        refuse("max_workers must be between 1 and 65536");
    }
}

void detail::check_options(const map_options& given) {
    if (given.in_flight > (std::size_t{1} << 24)) {
        refuse("map_options::in_flight must be at most 2^24");
    }
    if (given.chunk_size > (std::size_t{1} << 20)) {
        refuse("map_options::chunk_size must be at most 2^20");
    }
}

void detail::check_in_flight(const map_options& given, std::size_t max_queued) {
    if (given.in_flight > max_queued) {
        refuse("map_options::in_flight must be at most executor_options::max_queued, which is " +
               std::to_string(max_queued));
    }
}

void detail::check_options(const reuse_options& given) {
    if (given.reuse > reuse_policy::never) {
        refuse("reuse_options::reuse must be one of automatic, always and never");
    }
}

void detail::check_options(const shutdown_options& given) {
    if (given.mode < shutdown_mode::drain || given.mode > shutdown_mode::kill) {
        refuse("shutdown_options::mode must be one of drain, cancel_queued and kill");
    }
}

} // namespace coproc
