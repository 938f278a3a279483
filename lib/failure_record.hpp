#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <coproc/failure.hpp>

// What a failure is made of.
namespace coproc::detail {

/// What is known of the end of a worker. The driver derives from it what it keeps of a dead worker.
struct worker_fate {
    int pid = 0;
    std::size_t slot = 0;
    std::optional<int> signal;
    std::optional<int> status;
    memory_shortage shortage = memory_shortage::no;

    worker_fate() = default;
    worker_fate(const worker_fate&) = delete;
    worker_fate& operator=(const worker_fate&) = delete;
    virtual ~worker_fate();

    /// Where the worker crashed, innermost frame first; empty unless overridden. May read symbol
    /// tables, is called by the reader of a failure, in any thread, and may be called by several.
    [[nodiscard]] virtual std::vector<stack_frame> backtrace() const;

    /// What it last wrote, as far as that was captured and is known now; else empty. As above.
    [[nodiscard]] virtual std::string stdout_tail() const;
    [[nodiscard]] virtual std::string stderr_tail() const;
};

/// An exception as it came: its codec is a user's code, which runs when somebody asks for it.
struct thrown_there {
    std::vector<std::byte> encoded;
    int worker_pid = 0;
};

struct failure_record {
    errc code = errc::no_result;
    certainty how_certain = certainty::may_have_run;
    /// Empty: the name is looked up from `function`, when somebody asks for the message.
    std::string task_name = {};
    const void* function = nullptr;
    /// What happened, if the code does not say it all: half a sentence in lower case without full
    /// stop, to be read after a colon.
    std::string cause = {};
    /// What to do, where it is not what the code says: half a sentence. Null: as the code says.
    const char* advice = nullptr;
    /// For errc::timed_out: because of its run_timeout, else of its timeout.
    bool overran = false;
    /// Workers that died while they ran the task, before the run that this is about.
    unsigned earlier_deaths = 0;
    /// For errc::task_threw: the exception, or what the worker sent of it.
    std::exception_ptr exception = {};
    std::optional<thrown_there> thrown = {};
    std::shared_ptr<const worker_fate> fate = {};
};

/// Without memory for the details the failure has none; code and certainty are always right.
[[nodiscard]] failure make_failure(failure_record record) noexcept;

/// Whether it is an std::bad_alloc, or one is nested in it.
[[nodiscard]] bool is_shortage(std::exception_ptr thrown) noexcept;

/// The sentence of failure::message(). `exception`: what the task threw, or null.
[[nodiscard]] std::string compose_message(const failure_record& record,
                                          const std::exception_ptr& exception);

/// The shared, immutable half of a failure.
class failure_details {
public:
    explicit failure_details(failure_record&& record) noexcept : record_(std::move(record)) {}

    [[nodiscard]] const failure_record& record() const noexcept { return record_; }

    /// Made by who asks where it came from a worker; all get the one that was made first.
    [[nodiscard]] const std::exception_ptr& exception() const noexcept;

    /// Likewise.
    [[nodiscard]] const std::string& message() const;

private:
    failure_record record_;
    mutable std::mutex mutex_;             // no code of users runs under it
    mutable std::exception_ptr exception_; ///< guarded by mutex_ until it is set, then constant
    mutable std::string message_;          ///< likewise
};

} // namespace coproc::detail
