#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// What is kept of a worker's output: its end, as text that can be shown.
namespace coproc::text {

/**
 * @brief The last bytes of a stream, in a ring whose size is fixed.
 *
 * Appending allocates nothing and takes as long as it takes to copy what is kept, however much is
 * thrown away.
 */
class tail {
public:
    /// Keeps at most so many bytes; at least 1.
    explicit tail(std::size_t capacity);

    void append(std::string_view bytes) noexcept;

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    /**
     * @brief What is kept, as it came.
     *
     * If its beginning was thrown away, the text begins with the first whole line that is kept; a
     * single line that is longer than the ring begins at a whole UTF-8 character.
     */
    [[nodiscard]] std::string text() const;

private:
    std::vector<char> ring_;
    std::size_t next_ = 0; ///< where the next byte goes
    std::size_t size_ = 0;
    char before_ = '\n'; ///< the byte before the first that is kept
};

/**
 * @brief The last lines of a text, for one sentence.
 *
 * At most so many lines and bytes, without the line ends behind the last one; what is cut is cut at
 * whole lines, and the last line, if it alone is too long, keeps its beginning, which tells more.
 */
[[nodiscard]] std::string_view last_lines(std::string_view text, std::size_t max_lines,
                                          std::size_t max_bytes);

/**
 * @brief A text from a stranger in quotation marks, as C++ would have it.
 *
 * Line ends and other control characters are escaped, as are bytes that are no UTF-8, so that it
 * stays on its line and does nothing to a terminal.
 */
[[nodiscard]] std::string quoted(std::string_view text);

} // namespace coproc::text
