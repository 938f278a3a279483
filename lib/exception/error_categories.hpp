#pragma once

#include <string_view>
#include <system_error>

namespace coproc::exceptions {

/**
 * @brief The error category of a name that came from a worker.
 *
 * The standard categories and our own are the objects that std::system_category() and its kin
 * return. Of another one only the name is known here: it becomes a category of that name, the same
 * object each time, so that codes of it can be compared with each other. It lives for ever, as
 * codes may. There are at most 256 of them; the names after that share one, called "remote".
 *
 * Codes of "asio.system" are those of the system, so they keep their text and their std::errc.
 *
 * @par Thread safety Safe.
 */
[[nodiscard]] const std::error_category& category_named(std::string_view name);

} // namespace coproc::exceptions
