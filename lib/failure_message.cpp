#include "failure_record.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>

#include "exception/describe.hpp"
#include "symbols/symbols.hpp"
#include "text/tail.hpp"

// The sentence of a failure: "crash: worker 4242 was killed by SIGABRT; the task may have run".
namespace coproc::detail {
namespace {

/// The three sentences of a failure that is about the arguments or about the result.
const char* by_certainty(certainty how, const char* arguments, const char* either,
                         const char* result) {
    switch (how) {
    case certainty::not_started:
        return arguments;
    case certainty::ran:
        return result;
    case certainty::may_have_run:
        break;
    }
    return either;
}

std::string signal_name(int signal) {
    const char* name = sigabbrev_np(signal);
    return name ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

std::string worker_name(const failure_record& record) {
    return record.fate ? "worker " + std::to_string(record.fate->pid) : "the worker";
}

std::string end_of_worker(const failure_record& record) {
    const std::string worker = worker_name(record);
    if (record.fate && record.fate->signal) {
        return worker + " was killed by " + signal_name(*record.fate->signal);
    }
    if (record.fate && record.fate->status) {
        return worker + " exited with status " + std::to_string(*record.fate->status);
    }
    return worker + " ended, it is not known how";
}

/// No worker has come as far as the task; the cause tells how the last one ended.
bool is_of_many_workers(const failure_record& record) {
    return !record.fate && (record.how_certain == certainty::not_started || !record.cause.empty());
}

std::string lack_of_memory(const failure_record& record) {
    if (is_of_many_workers(record)) {
        return "worker after worker ran out of memory before it had begun a task";
    }
    if (!record.fate) { // it was not the worker's
        return "there was not enough memory here to receive the result";
    }
    if (record.fate->shortage == memory_shortage::likely) {
        return end_of_worker(record) + ", most likely by the kernel, which had run out of memory";
    }
    const std::string text = worker_name(record) + " ran out of memory";
    return record.fate->signal ? text + " and was killed by " + signal_name(*record.fate->signal)
                               : text;
}

std::string exception_text(std::exception_ptr thrown) {
    if (!thrown) {
        return "threw an exception that could not be brought here";
    }
    std::string text = "threw ";
    for (int depth = 0; thrown && depth < exceptions::max_depth; ++depth) {
        const exceptions::description one = exceptions::describe(thrown);
        text += (depth == 0 ? "" : ", caused by ") + exceptions::in_words(one);
        thrown = one.nested;
    }
    return text;
}

std::string what_happened(const failure_record& record, const std::exception_ptr& exception) {
    const certainty how = record.how_certain;
    switch (record.code) {
    case errc::no_result:
        return "this result was never given a value: it was default-constructed, or the coroutine "
               "that should have given it threw";
    case errc::task_threw:
        return exception_text(exception);
    case errc::worker_terminated:
        return is_of_many_workers(record) ? "worker after worker ended before it had begun a task"
                                          : end_of_worker(record);
    case errc::out_of_memory:
        return lack_of_memory(record);
    case errc::timed_out:
        return by_certainty(how, "timed out before it began", "timed out", "timed out");
    case errc::cancelled:
        return by_certainty(how, "cancelled before it began", "cancelled", "cancelled");
    case errc::encode_failed:
        return by_certainty(how, "the arguments could not be encoded",
                            "the arguments or the result could not be encoded",
                            "the result could not be encoded");
    case errc::decode_failed:
        return by_certainty(how, "the worker could not decode the arguments",
                            "the arguments or the result could not be decoded",
                            "the result could not be decoded");
    case errc::unknown_function:
        return "the worker does not have this function";
    case errc::initializer_failed:
        return "an initializer failed in " + worker_name(record);
    case errc::spawn_failed:
        return "no worker process could be started";
    case errc::handshake_failed:
        return "the process that was started is not a worker of this program";
    case errc::executor_broken:
        return "the executor gave up, since its workers die before they are ready";
    case errc::executor_shutdown:
        return "the executor was shut down";
    case errc::queue_full:
        return "the queue of the executor is full";
    case errc::too_large:
        return by_certainty(how, "the arguments are larger than a message may be",
                            "the arguments or the result are larger than a message may be",
                            "the result is larger than a message may be");
    case errc::would_deadlock:
        return "the call would block the thread that runs the executor's loop, and wait for ever";
    case errc::nesting_too_deep:
        return "executors inside tasks of executors are nested too deep";
    case errc::forked:
        return "this process is a fork of the one that made the executor, and has no workers";
    }
    return make_error_code(record.code).message();
}

/// What is known of the task; empty where what_happened() says it.
const char* state_of_task(const failure_record& record) {
    switch (record.how_certain) {
    case certainty::not_started:
        return record.code == errc::timed_out || record.code == errc::cancelled
                   ? ""
                   : "the task did not start";
    case certainty::may_have_run:
        return record.code == errc::no_result ? "" : "the task may have run";
    case certainty::ran:
        return record.code == errc::task_threw ? ""
                                               : "the task ran to its end, but its result is lost";
    }
    return "";
}

/// Whether the worker's crash handler, which writes the backtrace, is called for this signal.
bool leaves_backtrace(int signal) {
    constexpr int answered[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    return std::ranges::find(answered, signal) != std::end(answered);
}

const char* advice_after_death(const failure_record& record) {
    if (is_of_many_workers(record)) {
        return "let executor_options::observer tell how they end";
    }
    // Else that has been tried, or would change nothing.
    const bool again = record.earlier_deaths == 0 && record.how_certain != certainty::not_started;
    if (record.fate && record.fate->signal && leaves_backtrace(*record.fate->signal)) {
        return again ? "look for a backtrace in failure::worker(), and set task_options::retries "
                       "if it may run twice"
                     : "look for a backtrace in failure::worker()";
    }
    return again ? "set task_options::retries if it may run twice" : "";
}

/// As std::bad_alloc says it, and lib/worker/serve.cpp.
bool is_of_memory(std::string_view cause) {
    return cause.find("bad_alloc") != std::string_view::npos ||
           cause.find("no memory") != std::string_view::npos;
}

/// Whether the words of the system are about something that there is only so much of.
bool is_of_limit(std::string_view cause) {
    return std::ranges::any_of(
        std::initializer_list<int>{EAGAIN, ENOMEM, EMFILE, ENFILE}, [cause](int number) {
            return cause.find(std::generic_category().message(number)) != std::string_view::npos;
        });
}

const char* advice_without_worker(const failure_record& record) {
    if (is_of_limit(record.cause)) {
        return "raise the limit that is reached, or run fewer workers at a time";
    }
    return record.how_certain == certainty::not_started ? "remove the cause, then submit it again"
                                                        : "remove the cause";
}

const char* advice_after_time_out(const failure_record& record) {
    const bool not_started = record.how_certain == certainty::not_started;
    if (record.overran) {
        return not_started ? "raise task_options::run_timeout"
                           : "raise task_options::run_timeout if it needs longer";
    }
    return not_started ? "raise task_options::timeout, or have more workers"
                       : "raise task_options::timeout if it needs longer";
}

/// What the reader can do about it; empty where nobody can know, where the caller wanted it
/// (errc::cancelled, errc::executor_shutdown), and where the sentence has said it.
const char* advice(const failure_record& record, const std::exception_ptr& exception) {
    constexpr const char* more_memory = "give it more memory, or run fewer workers at a time";
    if (record.advice != nullptr) {
        return record.advice;
    }
    switch (record.code) {
    case errc::task_threw:
        return is_shortage(exception) ? more_memory : "";
    case errc::worker_terminated:
        return advice_after_death(record);
    case errc::timed_out:
        return advice_after_time_out(record);
    case errc::encode_failed: // of a range that threw, and of a chunk, no codec is to blame
        return is_of_memory(record.cause) ? more_memory
               : exception || record.how_certain == certainty::may_have_run
                   ? ""
                   : "correct the value or its codec";
    case errc::decode_failed:
        return is_of_memory(record.cause) ? more_memory
                                          : "check that the codec decodes what it encodes";
    case errc::spawn_failed:
        return advice_without_worker(record);
    case errc::out_of_memory:
        return more_memory;
    case errc::unknown_function:
        return "build worker and caller together";
    case errc::handshake_failed:
        return "make coproc::init(argc, argv) the first line of main, and build worker and caller "
               "together";
    case errc::initializer_failed:
    case errc::executor_broken:
        return "make a new executor once the cause is removed";
    case errc::queue_full:
        return "wait for earlier tasks, or raise executor_options::max_queued";
    case errc::too_large:
        return "send it in parts, or raise executor_options::max_message_bytes";
    case errc::would_deadlock:
        return "co_await the job, or call get() on another thread";
    case errc::nesting_too_deep:
        return "let the outermost program submit the tasks, or raise COPROC_MAX_DEPTH";
    case errc::forked:
        return "make an executor after fork()";
    case errc::no_result:
    case errc::cancelled:
    case errc::executor_shutdown:
        return "";
    }
    return "";
}

/// What happened before, if the task had been run again.
std::string history(const failure_record& record) {
    if (record.earlier_deaths == 0) {
        return "";
    }
    return record.earlier_deaths == 1
               ? "; a worker had died in it before"
               : "; " + std::to_string(record.earlier_deaths) + " workers had died in it before";
}

/// The end of what the worker wrote, if that is known. A worker that died may have said why.
std::string last_words(const failure_record& record) {
    constexpr std::size_t max_lines = 4;
    constexpr std::size_t max_bytes = 400;
    const std::string written = record.fate ? record.fate->stderr_tail() : std::string();
    const std::string_view lines = text::last_lines(written, max_lines, max_bytes);
    return lines.empty() ? "" : "; at the end it wrote " + text::quoted(lines);
}

std::string task_name(const failure_record& record) {
    if (record.task_name.empty() && record.function) {
        return symbols::function_name(record.function);
    }
    return record.task_name;
}

} // namespace

std::string compose_message(const failure_record& record, const std::exception_ptr& exception) {
    std::string text = task_name(record);
    if (!text.empty()) {
        text += ": ";
    }
    text += what_happened(record, exception);
    if (!record.cause.empty()) {
        text += ": " + record.cause;
    }
    text += last_words(record);
    text += history(record);
    for (const char* clause : {state_of_task(record), advice(record, exception)}) {
        if (*clause != '\0') {
            text += "; ";
            text += clause;
        }
    }
    return text;
}

} // namespace coproc::detail
