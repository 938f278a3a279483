#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

// Which elements of a stream are on their way, and which one is given next. A task carries one
// element or, with chunks, several in a row; it is held from its submit until its last element is
// given, so a stream whose reader is slow holds no more than its limit. Not thread-safe.
namespace coproc::streams {

/// One element, where it lies.
struct position {
    std::uint32_t task;
    std::size_t index;  ///< counted from the beginning of the range
    std::size_t offset; ///< in its task
    bool last;          ///< of its task, whose number is free again

    friend bool operator==(const position&, const position&) = default;
};

class window {
public:
    /// `limit` is at least 1.
    window(std::size_t limit, bool ordered) : limit_(limit), ordered_(ordered) {}

    // ---- what the reader does

    /// Whether another task may be submitted.
    bool wants_task() const { return !closed_ && held_ < limit_; }
    /// It was, with the next `elements` of the range, at least one. The number stands for it until
    /// its last element is given.
    std::uint32_t add(std::size_t elements);
    /// No task follows: the range has ended, or was cut short.
    void close() { closed_ = true; }
    /// Everything is given up, and the stream has ended.
    void forget();
    /// From now on elements are given as they become available.
    void in_any_order();

    bool has_element() const;
    /// The next element, if it is available.
    std::optional<position> take();
    /// Nothing is available, and nothing will be.
    bool ended() const { return closed_ && held_ == 0; }

    // ---- what tasks do

    /// The first `until` elements of a task can be given. All of them: the task is done.
    void available(std::uint32_t task, std::size_t until);

    // ---- what tests may know

    std::size_t held() const { return held_; }
    bool closed() const { return closed_; }

private:
    struct held_task {
        std::size_t first = 0; // its first element's index
        std::size_t count = 0;
        std::size_t given = 0;
        std::size_t until = 0; // so many are available
        bool listed = false;   // in given_next_
    };

    const std::size_t limit_;
    bool ordered_;
    bool closed_ = false;
    std::size_t held_ = 0;
    std::size_t next_index_ = 0;
    std::vector<held_task> tasks_;     // by number; as many as were ever held at a time
    std::vector<std::uint32_t> free_;  // numbers that stand for nothing
    std::deque<std::uint32_t> listed_; // ordered: all that are held, in order; else: those with
                                       // available elements, as they became so
};

} // namespace coproc::streams
