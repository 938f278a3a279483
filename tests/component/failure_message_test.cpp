#include <csignal>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "exception/exception_codec.hpp"
#include "failure_record.hpp"
#include "support/catch.hpp"

using coproc::certainty;
using coproc::errc;
using coproc::memory_shortage;
using coproc::detail::failure_record;
using coproc::detail::make_failure;
using coproc::detail::worker_fate;

extern "C" int task_without_a_name(int value) { return value + 1; }

namespace {

std::string message_of(errc code, certainty how) {
    failure_record record;
    record.code = code;
    record.how_certain = how;
    return make_failure(std::move(record)).message();
}

std::string message_of_death(std::optional<int> signal, std::optional<int> status,
                             certainty how = certainty::may_have_run) {
    auto fate = std::make_shared<worker_fate>();
    fate->pid = 4242;
    fate->signal = signal;
    fate->status = status;
    failure_record record;
    record.code = errc::worker_terminated;
    record.how_certain = how;
    record.task_name = "crash";
    record.fate = fate;
    return make_failure(std::move(record)).message();
}

template <class E>
std::string message_of_throw(const E& thrown) {
    failure_record record;
    record.code = errc::task_threw;
    record.how_certain = certainty::ran;
    record.task_name = "resize";
    record.exception = std::make_exception_ptr(thrown);
    return make_failure(std::move(record)).message();
}

} // namespace

TEST_CASE("a message tells what the worker wrote at the end, as data") {
    struct talking_fate : worker_fate {
        std::string stderr_tail() const override { return written; }
        std::string written;
    };
    const auto message = [](const std::string& written) {
        auto fate = std::make_shared<talking_fate>();
        fate->pid = 4242;
        fate->status = 1;
        fate->written = written;
        failure_record record;
        record.code = errc::worker_terminated;
        record.task_name = "load";
        record.fate = std::move(fate);
        return make_failure(std::move(record)).message();
    };
    CHECK(
        message("no licence\n") ==
        "load: worker 4242 exited with status 1; at the end it wrote \"no licence\"; the task may "
        "have run; set task_options::retries if it may run twice");
    const std::string silent = "load: worker 4242 exited with status 1; the task may have run; set "
                               "task_options::retries if it may run twice";
    CHECK(message("") == silent);
    CHECK(message("\n\n") == silent);
    CHECK(message("1\n2\n3\n4\n5\n\x1b[0m").find("wrote \"3\\n4\\n5\\n\\x1b[0m\"") !=
          std::string::npos);
    CHECK(message(std::string(4096, 'x')).size() < 600);
}

TEST_CASE("a message says likely where nobody knows") {
    const auto told = [](memory_shortage shortage) {
        auto fate = std::make_shared<worker_fate>();
        fate->pid = 4242;
        fate->signal = SIGKILL;
        fate->shortage = shortage;
        failure_record record;
        record.code = errc::out_of_memory;
        record.task_name = "load";
        record.fate = std::move(fate);
        return make_failure(std::move(record));
    };
    const coproc::failure likely = told(memory_shortage::likely);
    CHECK(likely.out_of_memory() == memory_shortage::likely);
    CHECK(likely.worker()->out_of_memory == memory_shortage::likely);
    CHECK(
        likely.message() ==
        "load: worker 4242 was killed by SIGKILL, most likely by the kernel, which had run out of "
        "memory; the task may have run; give it more memory, or run fewer workers at a time");
    CHECK(told(memory_shortage::certain).message() ==
          "load: worker 4242 ran out of memory and was killed by SIGKILL; the task may have run; "
          "give it more memory, or run fewer workers at a time");
}

TEST_CASE("a message blames no codec for want of memory") {
    for (const errc code : {errc::encode_failed, errc::decode_failed}) {
        for (const char* cause : {"std::bad_alloc", "there is no memory for them in the worker"}) {
            failure_record record;
            record.code = code;
            record.how_certain = certainty::not_started;
            record.cause = cause;
            const std::string text = make_failure(std::move(record)).message();
            INFO(text);
            CHECK(text.ends_with(std::string(cause) +
                                 "; the task did not start; give it more memory, or run fewer "
                                 "workers at a time"));
        }
    }
}

TEST_CASE("a message about a task that workers die of before they begin it wants no retries") {
    failure_record record;
    record.code = errc::worker_terminated;
    record.how_certain = certainty::not_started;
    record.task_name = "load";
    record.cause = "it is the last of 3 that ended when they were about to begin the task";
    auto fate = std::make_shared<worker_fate>();
    fate->pid = 4242;
    fate->signal = SIGKILL;
    record.fate = std::move(fate);
    CHECK(make_failure(std::move(record)).message() ==
          "load: worker 4242 was killed by SIGKILL: it is the last of 3 that ended when they were "
          "about to begin the task; the task did not start");
}

TEST_CASE("a message tells how many workers had died of the task before") {
    failure_record record;
    record.code = errc::worker_terminated;
    record.task_name = "crash";
    record.earlier_deaths = 1;
    CHECK(make_failure(failure_record(record)).message() ==
          "crash: the worker ended, it is not known how; a worker had died in it before; the task "
          "may have run");
    record.earlier_deaths = 3;
    CHECK(make_failure(std::move(record)).message() ==
          "crash: the worker ended, it is not known how; 3 workers had died in it before; the task "
          "may have run");
}

TEST_CASE("a message names task, worker, signal or status, and whether the task may have run") {
    const std::string retries = "set task_options::retries if it may run twice";
    const std::string backtrace = "look for a backtrace in failure::worker(), and ";
    CHECK(message_of_death(SIGABRT, {}) ==
          "crash: worker 4242 was killed by SIGABRT; the task may have run; " + backtrace +
              retries);
    CHECK(message_of_death(SIGSEGV, {}, certainty::ran) ==
          "crash: worker 4242 was killed by SIGSEGV; the task ran to its end, but its result is "
          "lost; " +
              backtrace + retries);
    CHECK(message_of_death(SIGKILL, {}) ==
          "crash: worker 4242 was killed by SIGKILL; the task may have run; " + retries);
    CHECK(message_of_death({}, 3) ==
          "crash: worker 4242 exited with status 3; the task may have run; " + retries);
    CHECK(message_of_death({}, {}) ==
          "crash: worker 4242 ended, it is not known how; the task may have run; " + retries);
    CHECK(message_of_death(40, {}) ==
          "crash: worker 4242 was killed by signal 40; the task may have run; " + retries);
}

TEST_CASE("a message does not ask for a retry of what has been retried in vain") {
    auto fate = std::make_shared<worker_fate>();
    fate->pid = 4242;
    fate->signal = SIGSEGV;
    failure_record record;
    record.code = errc::worker_terminated;
    record.earlier_deaths = 1;
    record.fate = std::move(fate);
    CHECK(make_failure(std::move(record)).message() ==
          "worker 4242 was killed by SIGSEGV; a worker had died in it before; the task may have "
          "run; look for a backtrace in failure::worker()");
}

TEST_CASE("a message tells of workers that end before they begin anything") {
    CHECK(message_of(errc::worker_terminated, certainty::not_started) ==
          "worker after worker ended before it had begun a task; the task did not start; let "
          "executor_options::observer tell how they end");
    CHECK(message_of(errc::out_of_memory, certainty::not_started) ==
          "worker after worker ran out of memory before it had begun a task; the task did not "
          "start; give it more memory, or run fewer workers at a time");
}

TEST_CASE("a message says what was thrown, and by what that was caused") {
    CHECK(message_of_throw(std::invalid_argument("negative size")) ==
          "resize: threw std::invalid_argument: negative size");
    CHECK(message_of_throw(42) == "resize: threw int");
    try {
        try {
            throw std::out_of_range("row 9");
        } catch (...) {
            std::throw_with_nested(std::runtime_error("bad table"));
        }
    } catch (...) {
        failure_record record;
        record.code = errc::task_threw;
        record.how_certain = certainty::ran;
        record.exception = std::current_exception();
        CHECK(make_failure(std::move(record)).message() ==
              "threw std::runtime_error: bad table, caused by std::out_of_range: row 9");
    }
    CHECK(message_of(errc::task_threw, certainty::ran) ==
          "threw an exception that could not be brought here");
}

TEST_CASE("a message names the type that an exception had in the worker") {
    using namespace coproc::exceptions;
    failure_record record;
    record.code = errc::task_threw;
    record.how_certain = certainty::ran;
    SECTION("a standard one") {
        const auto thrown = std::make_exception_ptr(std::invalid_argument("negative size"));
        record.exception = decode_exception(encode_exception(thrown), 1);
        CHECK(make_failure(record).message() == "threw std::invalid_argument: negative size");
    }
    SECTION("an unknown one") {
        record.exception = decode_exception(encode_exception(std::make_exception_ptr('c')), 1);
        CHECK(make_failure(record).message() == "threw char");
    }
    SECTION("one that could not be read") {
        record.exception = decode_exception({}, 1);
        CHECK(make_failure(record).message() == "threw an exception that it could not describe");
    }
}

TEST_CASE("a cause follows what happened, and decides what to do about it") {
    const auto message = [](certainty how, std::string cause) {
        failure_record record;
        record.code = errc::spawn_failed;
        record.how_certain = how;
        record.task_name = "fib";
        record.cause = std::move(cause);
        return make_failure(std::move(record)).message();
    };
    CHECK(message(certainty::not_started, "clone: Resource temporarily unavailable") ==
          "fib: no worker process could be started: clone: Resource temporarily unavailable; the "
          "task did not start; raise the limit that is reached, or run fewer workers at a time");
    CHECK(message(certainty::not_started, "execve of /no/such/file: No such file or directory") ==
          "fib: no worker process could be started: execve of /no/such/file: No such file or "
          "directory; the task did not start; remove the cause, then submit it again");
    CHECK(message(certainty::may_have_run, "execve of /no/such/file: No such file or directory") ==
          "fib: no worker process could be started: execve of /no/such/file: No such file or "
          "directory; the task may have run; remove the cause");
}

TEST_CASE("a task without a name is named by its function") {
    failure_record record;
    record.code = errc::timed_out;
    record.function = reinterpret_cast<const void*>(&task_without_a_name);
    const std::string rest =
        ": timed out; the task may have run; raise task_options::timeout if it needs longer";
    CHECK(make_failure(record).message() == "task_without_a_name" + rest);
    record.task_name = "its own";
    CHECK(make_failure(record).message() == "its own" + rest);
}

TEST_CASE("a time-out names the limit") {
    failure_record record;
    record.code = errc::timed_out;
    record.how_certain = GENERATE(certainty::may_have_run, certainty::ran);
    CHECK(make_failure(record).message().ends_with("; raise task_options::timeout if it needs "
                                                   "longer"));
    record.overran = true;
    CHECK(make_failure(record).message().ends_with("; raise task_options::run_timeout if it needs "
                                                   "longer"));
    record.how_certain = certainty::not_started;
    CHECK(make_failure(record).message().ends_with("timed out before it began; raise "
                                                   "task_options::run_timeout"));
}

TEST_CASE("what did not start says so") {
    const auto not_started = certainty::not_started;
    CHECK(message_of(errc::timed_out, not_started) ==
          "timed out before it began; raise task_options::timeout, or have more workers");
    CHECK(message_of(errc::cancelled, not_started) == "cancelled before it began");
    CHECK(message_of(errc::encode_failed, not_started) ==
          "the arguments could not be encoded; the task did not start; correct the value or its "
          "codec");
    CHECK(message_of(errc::decode_failed, not_started) ==
          "the worker could not decode the arguments; the task did not start; check that the codec "
          "decodes what it encodes");
    CHECK(message_of(errc::executor_shutdown, not_started) ==
          "the executor was shut down; the task did not start");
    CHECK(message_of(errc::nesting_too_deep, not_started) ==
          "executors inside tasks of executors are nested too deep; the task did not start; let "
          "the outermost program submit the tasks, or raise COPROC_MAX_DEPTH");
}

TEST_CASE("what ran says so") {
    CHECK(message_of(errc::encode_failed, certainty::ran) ==
          "the result could not be encoded; the task ran to its end, but its result is lost; "
          "correct the value or its codec");
    CHECK(message_of(errc::decode_failed, certainty::ran) ==
          "the result could not be decoded; the task ran to its end, but its result is lost; check "
          "that the codec decodes what it encodes");
    CHECK(message_of(errc::too_large, certainty::ran) ==
          "the result is larger than a message may be; the task ran to its end, but its result is "
          "lost; send it in parts, or raise executor_options::max_message_bytes");
}

TEST_CASE("where there is something to do, the message says what") {
    CHECK(message_of(errc::queue_full, certainty::not_started) ==
          "the queue of the executor is full; the task did not start; wait for earlier tasks, or "
          "raise executor_options::max_queued");
    CHECK(message_of(errc::would_deadlock, certainty::may_have_run) ==
          "the call would block the thread that runs the executor's loop, and wait for ever; the "
          "task may have run; co_await the job, or call get() on another thread");
    CHECK(message_of(errc::handshake_failed, certainty::not_started) ==
          "the process that was started is not a worker of this program; the task did not start; "
          "make coproc::init(argc, argv) the first line of main, and build worker and caller "
          "together");
    CHECK(message_of(errc::forked, certainty::not_started) ==
          "this process is a fork of the one that made the executor, and has no workers; the task "
          "did not start; make an executor after fork()");
    auto fate = std::make_shared<worker_fate>();
    fate->pid = 7;
    fate->signal = SIGKILL;
    failure_record record;
    record.code = errc::out_of_memory;
    record.fate = fate;
    CHECK(make_failure(std::move(record)).message() ==
          "worker 7 ran out of memory and was killed by SIGKILL; the task may have run; give it "
          "more memory, or run fewer workers at a time");
}

TEST_CASE("where the sentence says all, or the caller wanted it, the message advises nothing") {
    CHECK(message_of(errc::encode_failed, certainty::may_have_run) ==
          "the arguments or the result could not be encoded; the task may have run");
    failure_record record;
    record.code = errc::encode_failed;
    record.how_certain = certainty::not_started;
    record.exception = std::make_exception_ptr(42);
    record.cause = "the range threw int";
    CHECK(make_failure(std::move(record)).message() ==
          "the arguments could not be encoded: the range threw int; the task did not start");
    CHECK(message_of(errc::cancelled, certainty::may_have_run) ==
          "cancelled; the task may have run");
    CHECK(message_of(errc::executor_shutdown, certainty::may_have_run) ==
          "the executor was shut down; the task may have run");
}

TEST_CASE("a default failure says that there is no result") {
    CHECK(coproc::failure().message() ==
          "this result was never given a value: it was default-constructed, or the coroutine that "
          "should have given it threw");
}
