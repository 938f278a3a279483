#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <coproc/detail/config.hpp>
#include <coproc/error.hpp>

namespace coproc {

class failure;
namespace detail {
class failure_details;
struct failure_record;
failure make_failure(failure_record record) noexcept;
} // namespace detail

/// One frame of the backtrace of a crashed worker. What is not known is empty or 0.
struct stack_frame {
    std::string function;     ///< demangled
    std::string file;         ///< source file
    int line = 0;             ///< in that file, from 1
    std::string module;       ///< path of the executable or shared library
    std::uint64_t offset = 0; ///< of the instruction in the module
};

/// "function at file:line", or "module+0x1234" where there are no symbols.
[[nodiscard]] COPROC_API std::string to_string(const stack_frame& frame);
COPROC_API std::ostream& operator<<(std::ostream& out, const stack_frame& frame);

/// Whether want of memory was the cause. Said only where there is a ground for it.
enum class memory_shortage {
    no,     ///< nothing points to it
    likely, ///< a SIGKILL that did not come from here, while the kernel killed for want of memory
    certain ///< somebody asked for memory and was refused, or had more than leak_options::hard
};

/// The enumerator's name; empty if the value has none.
[[nodiscard]] COPROC_API std::string_view to_string(memory_shortage known) noexcept;

/// How the worker ended that ran the task.
struct worker_exit {
    int pid = 0;
    std::size_t slot = 0;      ///< its place in the executor, as this_worker::slot()
    std::optional<int> signal; ///< the signal that killed it
    std::optional<int> status; ///< what it exited with; neither is set if nobody could tell
    /// Whether it was killed for want of memory.
    memory_shortage out_of_memory = memory_shortage::no;
    /// The last lines that it wrote to stderr, at most 4 KiB, as it wrote them; empty without
    /// executor_options::capture_output. Bytes from a process that went wrong: show them as data.
    std::string stderr_tail;
    /// The same of stdout. What its last task had not flushed is lost with it.
    std::string stdout_tail;
    std::vector<stack_frame> backtrace; ///< where it crashed, innermost first; often empty
};

/**
 * @brief Why a task has no value: the error half of a result.
 *
 * A handle to one immutable record: copying is cheap, shares the record and never throws. A
 * default-constructed failure means errc::no_result.
 *
 * When there is no memory for the record, the failure keeps its code and its certainty and loses
 * the details.
 *
 * @par Thread safety
 * Distinct objects: safe, also when they are copies of one failure. Shared objects: const members
 * are safe.
 */
class COPROC_API failure {
public:
    /// errc::no_result; the certainty is may_have_run, since nothing is known.
    failure() noexcept;

    // Not inline: results are moved through many layers of handlers, where this would be the larger
    // part of the code, and GCC 12 warns of the state that a result with a value does not have.
    failure(const failure&) noexcept;
    failure(failure&&) noexcept;
    failure& operator=(const failure&) noexcept;
    failure& operator=(failure&&) noexcept;
    ~failure();

    /// A code of error_category(); compare it with errc or std::errc.
    [[nodiscard]] std::error_code code() const noexcept { return make_error_code(code_); }

    /// Whether the task may have run.
    [[nodiscard]] coproc::certainty certainty() const noexcept { return certainty_; }

    /// Whether the function was certainly not called, so that a second attempt repeats nothing.
    [[nodiscard]] bool safe_to_retry() const noexcept {
        return certainty_ == coproc::certainty::not_started;
    }

    /// What the function threw, for errc::task_threw, or the range of a map, for
    /// errc::encode_failed; else null. See remote_exception (<coproc/remote_exception.hpp>).
    [[nodiscard]] std::exception_ptr exception() const noexcept;

    /// Whether want of memory is the cause: of the worker's end, of an std::bad_alloc that the task
    /// threw (also nested in what it threw), or here, of errc::out_of_memory.
    [[nodiscard]] memory_shortage out_of_memory() const noexcept;

    /// How the worker ended, if its end is what this is about. Reads symbol tables for the
    /// backtrace, in the calling thread; before the worker is reaped it may wait up to 200 ms for
    /// its handler, which takes about one to write the backtrace.
    [[nodiscard]] std::optional<worker_exit> worker() const;

    /// One sentence for a person: which task, what happened, whether it may have run, and what to
    /// do where there is something to do. The first call may read symbol tables; it never forks.
    [[nodiscard]] std::string message() const;

    /// Rethrows exception() as its own type; without one, throws coproc::failed.
    [[noreturn]] void raise() const;

    /// Whether the code is exactly this one.
    friend bool operator==(const failure& left, errc right) noexcept { return left.code_ == right; }

    /// Whether the code means the same as one of another library, as
    /// asio::error::operation_aborted.
    friend bool operator==(const failure& left, const std::error_code& right) noexcept {
        return right == left.code_;
    }

    /// Whether the code belongs to a condition, as std::errc::timed_out.
    friend bool operator==(const failure& left, const std::error_condition& right) noexcept {
        return left.code() == right;
    }

    /// Prints message().
    friend COPROC_API std::ostream& operator<<(std::ostream& out, const failure& value);

private:
    friend class failed;
    friend failure detail::make_failure(detail::failure_record record) noexcept;

    errc code_ = errc::no_result;
    coproc::certainty certainty_ = coproc::certainty::may_have_run;
    std::shared_ptr<const detail::failure_details> details_;
};

/// What result::value() throws for a failure that is not an exception of the task: a
/// std::system_error with the code of the failure, whose what() is its message.
class COPROC_API failed : public std::system_error {
public:
    explicit failed(failure reason);
    failed(const failed&) noexcept = default;
    failed& operator=(const failed&) noexcept = default;
    ~failed() override;

    [[nodiscard]] const failure& reason() const noexcept { return reason_; }
    [[nodiscard]] const char* what() const noexcept override;

private:
    failure reason_;
};

} // namespace coproc
