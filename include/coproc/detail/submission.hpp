#pragma once

#include <coproc/detail/call.hpp>
#include <coproc/detail/config.hpp>
#include <coproc/detail/encoder.hpp>
#include <coproc/detail/job_core.hpp>
#include <coproc/detail/luggage.hpp>
#include <coproc/options.hpp>

#include <exception>

namespace coproc::detail {

class executor_impl;

/// The longest message of a chunk of several elements.
COPROC_API std::size_t max_chunk_bytes(const executor_impl&) noexcept;
/// As submission::commit, for a message with so many elements of a map, which is taken.
COPROC_API job_ptr submit_chunk(executor_impl&, encoder& message, luggage_ptr, const task_options&,
                                const target&, std::size_t elements);

/// One submit on its way: the arguments are encoded into memory that the thread reuses, then
/// committed.
class submission {
public:
    COPROC_API explicit submission(executor_impl&);
    COPROC_API ~submission();
    submission(const submission&) = delete;
    submission& operator=(const submission&) = delete;

    encoder& arguments() noexcept { return *arguments_; }

    /// Queues the task. Throws only std::bad_alloc; every other refusal is the job's end.
    COPROC_API job_ptr commit(const task_options&, const target&);
    /// The arguments could not be encoded: the exception that is being handled says why.
    COPROC_API job_ptr refuse(const task_options&, const target&);

private:
    executor_impl& executor_;
    encoder* arguments_;
    luggage_ptr luggage_;
};

} // namespace coproc::detail
