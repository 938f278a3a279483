#include "driver/check_options.hpp"

#include "coproc/detail/stream_core.hpp"
#include "coproc/executor.hpp"
#include "process/cpus.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace coproc {
namespace {

/// What COPROC_START_METHOD says; nothing: a value that no start method has.
std::optional<start_method> read_start_method() {
    const char* const value = std::getenv("COPROC_START_METHOD");
    const std::string_view name = value == nullptr ? "exec" : value;
    if (name == "exec" || name.empty()) {
        return start_method::exec;
    }
    if (name == "exec_main") {
        return start_method::exec_main;
    }
    if (name == "in_process") {
        return start_method::in_process;
    }
    return std::nullopt;
}

constexpr auto unknown_method = static_cast<start_method>(-1);

[[noreturn]] void refuse(const std::string& why) { throw std::invalid_argument("coproc: " + why); }

void check(bool right, const char* field, const char* rule) {
    if (!right) {
        refuse(std::string("executor_options::") + field + " must be " + rule);
    }
}

/// What only a process has. The environment may turn any program into one process, for a debugger:
/// then it is not there, and that is no contradiction.
void check_for_threads(const executor_options& given) {
    if (given.start != start_method::in_process ||
        default_start_method() == start_method::in_process) {
        return;
    }
    check(given.executable.empty(), "executable",
          "empty with start_method::in_process, which executes no file");
    check(!given.capture_output, "capture_output",
          "false with start_method::in_process, whose workers write to this process's outputs");
    check(!given.core_dumps, "core_dumps",
          "false with start_method::in_process, where a crash is this process's");
}

} // namespace

start_method default_start_method() noexcept {
    static const start_method method = read_start_method().value_or(unknown_method);
    return method;
}

executor_options detail::complete(executor_options given) {
    if (given.start == unknown_method) {
        refuse("the environment variable COPROC_START_METHOD is \"" +
               std::string(std::getenv("COPROC_START_METHOD")) +
               "\"; known are exec, exec_main and in_process");
    }
    check(given.start >= start_method::exec && given.start <= start_method::in_process, "start",
          "one of exec, exec_main and in_process");
    if (!given.max_workers) {
        given.max_workers = process::available_cpus();
    }
    check(*given.max_workers > 0 && *given.max_workers <= 65536, "max_workers",
          "between 1 and 65536");
    check(given.max_queued > 0, "max_queued", "at least 1");
    check(given.max_failed_starts > 0, "max_failed_starts", "at least 1");
    check(given.start_timeout > duration::zero(), "start_timeout", "positive");
    check(given.executable.find('\0') == std::string::npos, "executable",
          "a path, which has no zero byte");
    check_for_threads(given);
    check(given.max_message_bytes >= 64 * 1024 && given.max_message_bytes <= (std::size_t{1} << 62),
          "max_message_bytes", "between 64 KiB and 2^62");
    return given;
}

void detail::check_options(const map_options& given) {
    if (given.in_flight > (std::size_t{1} << 24)) {
        refuse("map_options::in_flight must be at most 2^24");
    }
    if (given.chunk_size > (std::size_t{1} << 20)) {
        refuse("map_options::chunk_size must be at most 2^20");
    }
}

void detail::check_options(const shutdown_options& given) {
    if (given.mode < shutdown_mode::drain || given.mode > shutdown_mode::kill) {
        refuse("shutdown_options::mode must be one of drain, cancel_queued and kill");
    }
}

} // namespace coproc
