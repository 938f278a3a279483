#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include <coproc/exception.hpp>

// The exception types of users (COPROC_EXCEPTION), which arrive as what they were.
namespace coproc::exceptions {

/// Most bytes of one exception's state: a chain of max_depth of them still fits into a message.
inline constexpr std::size_t max_state = 128 * 1024;

/// The state of an exception of a registered type; `type` is its description::type. Nothing: it is
/// of no such type, or its codec threw, or the state is too large. Runs code of users; throws
/// nothing.
[[nodiscard]] std::optional<detail::payload> encode_registered(const std::exception_ptr& thrown,
                                                               std::string_view type) noexcept;

/// The inverse. Null: there is no such type here, or more than one, or its codec threw. Nothing in
/// `state` is trusted, and it needs no alignment. Runs code of users.
[[nodiscard]] std::exception_ptr
decode_registered(std::span<const std::byte> state,
                  const std::shared_ptr<const detail::remote_origin>& origin,
                  const std::exception_ptr& nested) noexcept;

} // namespace coproc::exceptions
