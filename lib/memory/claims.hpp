#pragma once

#include <atomic>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

// Who has a task that lies in a worker's pipe: one atomic word per task, shared by parent and
// worker.
//
// A slot holds `sequence << 2 | state`. The parent may take an offered task back and the worker may
// begin it, and both do so by the same compare-and-swap: one of them wins. After the worker's death
// the word tells how far the task had come. tests/unit/claims_model_test.cpp searches all
// histories.
namespace coproc::memory {

using slot = std::atomic<std::uint64_t>;

static_assert(slot::is_always_lock_free, "slots are shared by two processes");

/// At most this many tasks may lie in one worker's pipe.
inline constexpr std::size_t slot_count = 1024;

enum class slot_state : std::uint64_t {
    recalled = 0, ///< the pool has the task; also: never used
    offered = 1,  ///< whoever claims or recalls it first
    begun = 2,    ///< the worker has it
    finished = 3, ///< the worker has it, and the function has returned
};

/// What a slot says about a task whose worker has died. Whatever the worker sent has been read.
enum class task_fate {
    never_began, ///< another worker may run it
    ran,         ///< to its end; what it returned is lost
    may_have_run,
};

/// The word of a slot.
constexpr std::uint64_t slot_word(std::uint64_t sequence, slot_state state) noexcept {
    return sequence << 2 | static_cast<std::uint64_t>(state);
}

/**
 * @brief The slots of one worker's shared page, for both sides.
 *
 * The parent trusts the states for what they say about this worker's own tasks, and for nothing
 * else: any word that it does not expect means that the task may have run.
 *
 * @par Thread safety
 * One thread of each side at a time: offer, recall, fate are the parent's; claim and finish the
 * worker's.
 */
class claims {
public:
    /// `slots` is a power of two of words, zero in the beginning, that outlive this object.
    explicit claims(std::span<slot> slots) noexcept
        : slots_(slots.data()), mask_(slots.size() - 1) {
        assert(std::has_single_bit(slots.size()));
    }

    /// Before the task's frame is staged. The slot's last task has been settled.
    void offer(std::uint64_t sequence) noexcept {
        at(sequence).store(slot_word(sequence, slot_state::offered), std::memory_order_release);
    }

    /// Takes a task back. true: the worker will not begin it. false: it has begun it.
    [[nodiscard]] bool recall(std::uint64_t sequence) noexcept {
        return change(sequence, slot_state::recalled);
    }

    /// Begins a task. false: it was recalled, and nothing of its frame may be used.
    [[nodiscard]] bool claim(std::uint64_t sequence) noexcept {
        return change(sequence, slot_state::begun);
    }

    /// The function of a begun task has returned or thrown.
    void finish(std::uint64_t sequence) noexcept {
        at(sequence).store(slot_word(sequence, slot_state::finished), std::memory_order_release);
    }

    /// Judges an unanswered task. The worker is dead.
    [[nodiscard]] task_fate fate(std::uint64_t sequence) const noexcept {
        const std::uint64_t word = at(sequence).load(std::memory_order_acquire);
        if (word == slot_word(sequence, slot_state::offered)) {
            return task_fate::never_began;
        }
        if (word == slot_word(sequence, slot_state::finished)) {
            return task_fate::ran;
        }
        return task_fate::may_have_run;
    }

private:
    slot& at(std::uint64_t sequence) const noexcept { return slots_[sequence & mask_]; }

    bool change(std::uint64_t sequence, slot_state to) noexcept {
        std::uint64_t expected = slot_word(sequence, slot_state::offered);
        return at(sequence).compare_exchange_strong(expected, slot_word(sequence, to),
                                                    std::memory_order_acq_rel,
                                                    std::memory_order_acquire);
    }

    slot* slots_;
    std::uint64_t mask_;
};

} // namespace coproc::memory
