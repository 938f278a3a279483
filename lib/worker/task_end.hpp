#pragma once

#include "coproc/detail/call.hpp"
#include "wire/messages.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace coproc::worker {

/// What an exception that left a task means to its caller.
struct task_end {
    wire::reply_outcome outcome;
    std::vector<std::byte> thrown =
        {};                ///< if the task threw; empty if that is too large to be sent
    std::string text = {}; ///< else, for a person
};

/// Of the exception that is being handled, which came at this stage.
[[nodiscard]] task_end describe_end(detail::call_stage stage, std::size_t max_bytes);

/// Type and text of the exception that is being handled, for a person.
[[nodiscard]] std::string text_of_exception();

} // namespace coproc::worker
