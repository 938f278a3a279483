#pragma once

#include "coproc/detail/chunk.hpp"
#include "coproc/detail/records.hpp"
#include "wire/payload_buffer.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <span>

// The elements of a chunk as they are settled, from the first to the last: by results that a worker
// sent, or by its death. Not thread-safe.
namespace coproc::streams {

/// How an element was settled.
struct settled_element {
    detail::element_outcome outcome = detail::element_outcome::value;
    std::span<const std::byte> part = {}; ///< what the worker sent, and where in it
    std::size_t begin = 0;
    std::size_t end = 0;
    int worker = 0;                       ///< who sent it: its process
    std::optional<std::size_t> loss = {}; ///< lost: the number of the call of lose()
};

class chunk_results {
public:
    explicit chunk_results(std::size_t elements) : elements_(elements) {}

    std::size_t elements() const { return elements_; }
    std::size_t settled() const { return settled_; }
    /// The element with which its present or last worker was to begin.
    std::size_t first_of_run() const { return first_of_run_; }

    /// A worker is given what is left.
    void begin_run() { first_of_run_ = settled_; }
    /// Results of the next elements. False, and nothing happened: they are none, or too many.
    [[nodiscard]] bool add(wire::payload_buffer part, int worker);
    /// The next elements have no result: at() tells which call said so, counted from 0.
    void lose(std::size_t elements);

    /// How an element was settled, or nothing. Asked for in order: it remembers where it was.
    std::optional<settled_element> at(std::size_t element);

private:
    struct group {
        std::size_t first;
        std::size_t elements;
        wire::payload_buffer part;
        int worker;
        std::optional<std::size_t> loss;
    };

    const std::size_t elements_;
    std::size_t settled_ = 0;
    std::size_t first_of_run_ = 0;
    std::size_t losses_ = 0;
    std::deque<group> groups_;
    std::size_t group_ = 0; // where at() is: this group, its element `next_` at `position_`
    std::size_t next_ = 0;
    std::size_t position_ = 0;
};

} // namespace coproc::streams
