#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>

#include <string>

namespace coproc::process {

/// A refusal of the operating system: the step that failed, and errno.
struct os_error {
    int number = 0;
    std::string step; ///< "execve of /usr/bin/program"

    /// "execve of /usr/bin/program: No such file or directory"
    [[nodiscard]] std::string message() const;
};

/// A value or the operating system's refusal. Asking for the wrong one of the two is a mistake of
/// ours.
template <class T>
using os_result =
    BOOST_OUTCOME_V2_NAMESPACE::basic_result<T, os_error,
                                             BOOST_OUTCOME_V2_NAMESPACE::policy::terminate>;

} // namespace coproc::process
