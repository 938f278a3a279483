#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

// How tasks that wait for the readers of their progress learn that they may go on: one atomic word
// for each sink of the running task, shared by parent and worker.
//
// A word holds the task's number, modulo 2^31 and never 0, in its upper half; in its lower half how
// many values of the task are settled, and whether the rest is wanted at all. The worker makes the
// words of a task when it begins; the parent changes those of the task that it means, and no
// others. The lower half is a futex.
namespace coproc::memory {

/// At most so many sinks has a task.
inline constexpr std::size_t max_sinks = 16;

using acceptance_word = std::atomic<std::uint64_t>;

static_assert(acceptance_word::is_always_lock_free, "words are shared by two processes");

/// What a word says to its task.
struct acceptance {
    std::uint32_t settled = 0; ///< modulo 2^31
    bool unwanted = false;     ///< nobody reads what the task reports

    friend bool operator==(const acceptance&, const acceptance&) = default;
};

/**
 * @brief The words of one worker's shared page, for both sides.
 *
 * @par Thread safety
 * Any thread.
 */
class acceptances {
public:
    static constexpr std::uint32_t settled_mask = 0x7FFF'FFFF;

    explicit acceptances(std::span<acceptance_word, max_sinks> words) noexcept : words_(words) {}

    /// Worker: the task has begun to use the sink.
    void begin(std::size_t sink, std::uint64_t sequence) const noexcept {
        words_[sink].store(word(sequence, {}), std::memory_order_release);
    }

    /// Parent: so many values of the task are settled.
    void settle(std::size_t sink, std::uint64_t sequence, std::uint32_t settled) const noexcept {
        change(sink, sequence, [settled](acceptance& a) { a.settled = settled & settled_mask; });
    }

    /// Parent: the task's values are not wanted.
    void refuse(std::size_t sink, std::uint64_t sequence) const noexcept {
        change(sink, sequence, [](acceptance& a) { a.unwanted = true; });
    }

    /// Worker.
    acceptance look(std::size_t sink) const noexcept {
        return content(words_[sink].load(std::memory_order_acquire));
    }

    /// Both: where to wait for a change, and what is there now.
    std::uint32_t* futex(std::size_t sink) const noexcept {
        return reinterpret_cast<std::uint32_t*>(&words_[sink]); // the lower half
    }
    static std::uint32_t futex_value(acceptance a) noexcept {
        return static_cast<std::uint32_t>(word(0, a));
    }

private:
    static constexpr std::uint32_t unwanted_bit = 0x8000'0000;

    static std::uint32_t number(std::uint64_t sequence) noexcept {
        return static_cast<std::uint32_t>(sequence) | 0x8000'0000; // never 0
    }
    static std::uint64_t word(std::uint64_t sequence, acceptance a) noexcept {
        return std::uint64_t{number(sequence)} << 32 | (a.unwanted ? unwanted_bit : 0) | a.settled;
    }
    static acceptance content(std::uint64_t word) noexcept {
        const auto lower = static_cast<std::uint32_t>(word);
        return {lower & settled_mask, (lower & unwanted_bit) != 0};
    }

    template <class Change>
    void change(std::size_t sink, std::uint64_t sequence, Change apply) const noexcept {
        std::uint64_t found = words_[sink].load(std::memory_order_acquire);
        // A worker that writes to it without end is no concern of the parent.
        for (int attempts = 0; attempts < 100 && found >> 32 == number(sequence); ++attempts) {
            acceptance a = content(found);
            apply(a);
            if (words_[sink].compare_exchange_weak(found, word(sequence, a),
                                                   std::memory_order_acq_rel,
                                                   std::memory_order_acquire)) {
                return;
            }
        }
    }

    std::span<acceptance_word, max_sinks> words_;
};

} // namespace coproc::memory
