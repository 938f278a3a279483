#pragma once

#include <coproc/detail/call.hpp>
#include <coproc/detail/job_core.hpp>
#include <coproc/detail/records.hpp>
#include <coproc/result.hpp>

#include <cstddef>
#include <new>
#include <optional>

namespace coproc::detail {

/// Decodes a value that a job gave. Throws only std::bad_alloc.
template <class R>
result<R> decode_value(const job_core& job, const value_place& value) {
    try {
        if constexpr (std::is_void_v<R>) {
            decode_result<void>(records::read(value.message, value.begin, value.end));
            return result<void>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<void>);
        } else {
            return result<R>(
                BOOST_OUTCOME_V2_NAMESPACE::in_place_type<R>,
                decode_result<R>(records::read(value.message, value.begin, value.end)));
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
    return decode_value<R>(job, {end.payload, 0, end.payload.size()});
}

/// The same for one element of a chunk.
template <class R>
result<R> take_element(const job_core& chunk, std::size_t offset) {
    if (const std::optional<value_place> value = value_of_element(chunk, offset)) {
        return decode_value<R>(chunk, *value);
    }
    return result<R>(BOOST_OUTCOME_V2_NAMESPACE::in_place_type<failure>,
                     failure_of_element(chunk, offset));
}

} // namespace coproc::detail
