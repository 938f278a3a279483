#pragma once

// Several elements of a map in one task.

#include <coproc/detail/config.hpp>
#include <coproc/detail/decoder.hpp>
#include <coproc/detail/encoder.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace coproc::detail {

/// The beginning of a chunk's message. The function and what is bound to it follow, then the
/// elements: records, each with the arguments of one call.
struct chunk_head {
    std::uint64_t first;         ///< elements before it have been run
    std::uint64_t elements;      ///< all of them
    std::uint64_t common_end;    ///< where the part ends that they share
    std::uint64_t common_values; ///< how many parameters lie in that part
};

/// How one element of a chunk ended: the mark of its record in a reply.
enum class element_outcome : std::uint8_t {
    value,         ///< the record holds it
    threw,         ///< the record holds the exception, or nothing
    decode_failed, ///< as for a whole task; the record holds the text
    encode_failed,
    too_large,
    not_begun, ///< the chunk was asked to stop before
};
inline constexpr element_outcome last_element_outcome = element_outcome::not_begun;

/**
 * @brief Gathers elements into messages that are no longer than they may be.
 *
 * For each: if empty(), begin() and write what all elements share; begin_element(), write, then
 * end_element(), or drop_element() if that threw. When the message may not grow any more, is_full()
 * says so: take it.
 */
class COPROC_API chunk_builder {
public:
    /// A message of one element may be longer.
    explicit chunk_builder(std::size_t max_bytes) noexcept;

    encoder& out() noexcept { return message_; }
    bool empty() const noexcept { return elements_ == 0; }
    /// Elements of the message that comes next.
    std::size_t elements() const noexcept { return elements_; }
    /// The next element is in the message after this one already.
    bool is_full() const noexcept { return carried_; }

    void begin(std::size_t common_values);
    void begin_element();
    void end_element();
    void drop_element() noexcept;

    /// Completes the message, which may be taken out of out().
    void finish() noexcept;
    /// After finish(): the message that comes next begins, with the element that did not fit.
    void advance();

private:
    const std::size_t max_bytes_;
    encoder message_;
    encoder carry_; // the beginning of the next message, if carried_
    chunk_head head_{};
    std::size_t elements_ = 0;
    std::optional<std::size_t> before_; // where the message ended before the open element
    std::size_t record_ = 0;            // of that element
    bool carried_ = false;
};

/// What a worker has received. Throws decode_error.
chunk_head read_chunk_head(decoder& in);
/// Says in a message that is sent again which elements have been run.
void set_first_element(std::byte* message, std::uint64_t first) noexcept;

struct invocation;
/// Calls the function for one element. `common` gives what all elements share.
using element_invoker = void (*)(invocation& element, decoder& common, std::size_t common_values);
/// Runs what a chunk holds, each element as a task of its own, and gives their results.
COPROC_API void run_chunk(invocation& chunk, element_invoker invoke);

} // namespace coproc::detail
