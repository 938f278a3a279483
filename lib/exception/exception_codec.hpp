#pragma once

#include <cstddef>
#include <exception>
#include <span>
#include <vector>

// How an exception crosses from a worker to its caller: the payload of a reply whose stage is
// `threw`, a Cap'n Proto message with `Thrown` as its root.
namespace coproc::exceptions {

/// encode_exception() never gives more bytes than this.
inline constexpr std::size_t max_encoded = 4 * 1024 * 1024;

/**
 * @brief Everything about an exception that is worth sending.
 *
 * Runs the codecs of registered types. Empty if it cannot be sent at all (no memory, or null): the
 * caller then learns that something was thrown and nothing else. Longer texts than max_text are
 * cut, chains longer than max_depth too.
 */
[[nodiscard]] std::vector<std::byte> encode_exception(const std::exception_ptr& thrown) noexcept;

/**
 * @brief An exception to throw here for what came from a worker.
 *
 * An exception of its own type if that is a standard one or registered, or a remote_error; all are
 * a remote_exception. Runs code of users. The bytes
 * may be anything, and need no alignment: what cannot be read costs its detail only, down to a
 * remote_error that says so. Never null. Without memory: std::bad_alloc.
 */
[[nodiscard]] std::exception_ptr decode_exception(std::span<const std::byte> bytes,
                                                  int worker_pid) noexcept;

} // namespace coproc::exceptions
