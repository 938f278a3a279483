#pragma once

#include <coproc/detail/call.hpp>
#include <coproc/detail/job_core.hpp>
#include <coproc/result.hpp>

#include <new>

namespace coproc::detail {

/// Decodes a value that a job gave. Throws only std::bad_alloc.
template <class R>
result<R> decode_value(const job_core& job, std::span<const std::byte> payload) {
    try {
        if constexpr (std::is_void_v<R>) {
            decode_result<void>(payload);
            return result<void>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<void>);
        } else {
            return result<R>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<R>,
                             decode_result<R>(payload));
        }
    } catch (const std::bad_alloc&) {
        return result<R>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<failure>,
                         no_memory_for_result(job));
    } catch (const std::exception& error) {
        return result<R>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<failure>,
                         undecodable(job, error.what()));
    } catch (...) {
        return result<R>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<failure>,
                         undecodable(job, "its codec threw something that is no std::exception"));
    }
}

/// Decodes the result of a job that is done. Throws only std::bad_alloc.
template <class R>
result<R> take_result(const job_core& job) {
    const job_end end = end_of(job);
    if (!end.has_value) {
        return result<R>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<failure>, failure_of(job));
    }
    return decode_value<R>(job, end.payload);
}

} // namespace coproc::detail
