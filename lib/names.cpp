#include <coproc/error.hpp>
#include <coproc/failure.hpp>
#include <coproc/options.hpp>
#include <coproc/queue_reason.hpp>
#include <coproc/retire_reason.hpp>

// The names of enumerators. A value that has none may come from a cast.
namespace coproc {

std::string_view to_string(errc code) noexcept {
    switch (code) {
    case errc::no_result:
        return "no_result";
    case errc::task_threw:
        return "task_threw";
    case errc::worker_terminated:
        return "worker_terminated";
    case errc::out_of_memory:
        return "out_of_memory";
    case errc::timed_out:
        return "timed_out";
    case errc::cancelled:
        return "cancelled";
    case errc::encode_failed:
        return "encode_failed";
    case errc::decode_failed:
        return "decode_failed";
    case errc::unknown_function:
        return "unknown_function";
    case errc::initializer_failed:
        return "initializer_failed";
    case errc::spawn_failed:
        return "spawn_failed";
    case errc::handshake_failed:
        return "handshake_failed";
    case errc::executor_broken:
        return "executor_broken";
    case errc::executor_shutdown:
        return "executor_shutdown";
    case errc::queue_full:
        return "queue_full";
    case errc::too_large:
        return "too_large";
    case errc::would_deadlock:
        return "would_deadlock";
    case errc::nesting_too_deep:
        return "nesting_too_deep";
    case errc::forked:
        return "forked";
    }
    return {};
}

std::string_view to_string(certainty known) noexcept {
    switch (known) {
    case certainty::not_started:
        return "not_started";
    case certainty::may_have_run:
        return "may_have_run";
    case certainty::ran:
        return "ran";
    }
    return {};
}

std::string_view to_string(memory_shortage known) noexcept {
    switch (known) {
    case memory_shortage::no:
        return "no";
    case memory_shortage::likely:
        return "likely";
    case memory_shortage::certain:
        return "certain";
    }
    return {};
}

std::string_view to_string(start_method method) noexcept {
    switch (method) {
    case start_method::exec:
        return "exec";
    case start_method::exec_main:
        return "exec_main";
    case start_method::program:
        return "program";
    case start_method::forkserver:
        return "forkserver";
    case start_method::fork:
        return "fork";
    case start_method::in_process:
        return "in_process";
    }
    return {};
}

std::string_view to_string(retire_reason why) noexcept {
    switch (why) {
    case retire_reason::none:
        return "none";
    case retire_reason::resized:
        return "resized";
    case retire_reason::idle:
        return "idle";
    case retire_reason::tasks:
        return "tasks";
    case retire_reason::age:
        return "age";
    case retire_reason::memory:
        return "memory";
    case retire_reason::asked:
        return "asked";
    }
    return {};
}

std::string_view to_string(queue_reason why) noexcept {
    switch (why) {
    case queue_reason::submitted:
        return "submitted";
    case queue_reason::taken_back:
        return "taken_back";
    case queue_reason::retried:
        return "retried";
    }
    return {};
}

} // namespace coproc
