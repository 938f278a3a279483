#pragma once

#include <exception>
#include <type_traits>
#include <utility>

#include <boost/outcome/basic_result.hpp>

#include <coproc/detail/config.hpp>
#include <coproc/failure.hpp>
#include <coproc/remote_exception.hpp>

namespace coproc {
namespace detail {

/// Throws std::logic_error: somebody asked for the error of a result that has a value.
[[noreturn]] COPROC_API void throw_no_error();

/// What value() and error() of a result<R> do when there is none. A template over R, as Outcome
/// asks of a policy: results of different types are different families for it.
template <class R>
struct raise_policy : BOOST_OUTCOME_V2_NAMESPACE::policy::base {
    template <class Self>
    static constexpr void wide_value_check(Self&& self) {
        if (!base::_has_value(self)) {
            base::_error(self).raise();
        }
    }

    template <class Self>
    static constexpr void wide_error_check(Self&& self) {
        if (!base::_has_error(self)) {
            throw_no_error();
        }
    }
};

} // namespace detail

/**
 * @brief What a task gives: a value of type R, or a failure.
 *
 * Two states, and no third: what the function threw is a failure like the others
 * (errc::task_threw). So `if (r) use(r.value()); else log(r.error());` is always right.
 *
 * `value()` without a value rethrows the exception of the task as its own type, or throws
 * coproc::failed, a std::system_error. `error()` without a failure throws std::logic_error.
 * `assume_value()` and `assume_error()` do not check.
 *
 * It is a Boost.Outcome basic_result: `BOOST_OUTCOME_TRY` and, in a coroutine,
 * `BOOST_OUTCOME_CO_TRY` work once you include `<boost/outcome/try.hpp>`. A failure propagates
 * from a result<T> to a result<U>.
 *
 * @par Thread safety
 * Distinct objects: safe. Shared objects: unsafe.
 */
template <class R>
class [[nodiscard]] result
    : public BOOST_OUTCOME_V2_NAMESPACE::basic_result<R, failure, detail::raise_policy<R>> {
    static_assert(!std::is_same_v<std::remove_cv_t<R>, failure> &&
                      !std::is_same_v<std::remove_cv_t<R>, std::exception_ptr>,
                  "a task cannot return coproc::failure or std::exception_ptr: it throws");

    using base = BOOST_OUTCOME_V2_NAMESPACE::basic_result<R, failure, detail::raise_policy<R>>;

public:
    using base::base;

    /// errc::no_result. Asio's co_spawn makes one before the coroutine has given its own.
    result() noexcept : base(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<failure>) {}
};

} // namespace coproc
