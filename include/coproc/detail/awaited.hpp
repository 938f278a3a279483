#pragma once

// What a coroutine function gives. Only the name of asio::awaitable is needed, so that programs
// without coroutines do not pay for its definition.

#if __has_include(<asio/any_io_executor.hpp>)
#include <asio/any_io_executor.hpp>

namespace asio {
#ifdef ASIO_INLINE_NAMESPACE_BEGIN
ASIO_INLINE_NAMESPACE_BEGIN
#endif
template <typename T, typename Executor>
class awaitable;
#ifdef ASIO_INLINE_NAMESPACE_END
ASIO_INLINE_NAMESPACE_END
#endif
} // namespace asio

#define COPROC_HAS_AWAITABLE
#endif

namespace coproc::detail {

/// `type` is what the caller gets of a function that returns a `T`.
template <class T>
struct awaited {
    static constexpr bool later = false;
    static constexpr bool elsewhere = false;
    using type = T;
};

#ifdef COPROC_HAS_AWAITABLE
/// A coroutine that gives nothing.
using awaited_void = asio::awaitable<void, asio::any_io_executor>;

/// A coroutine for one kind of loop only, which need not be that of the worker.
template <class T, class Executor>
struct awaited<asio::awaitable<T, Executor>> {
    static constexpr bool later = true;
    static constexpr bool elsewhere = true;
    using type = T;
};

template <class T>
struct awaited<asio::awaitable<T, asio::any_io_executor>> {
    static constexpr bool later = true;
    static constexpr bool elsewhere = false;
    using type = T;
    using finished = awaited_void;
};
#endif

} // namespace coproc::detail
