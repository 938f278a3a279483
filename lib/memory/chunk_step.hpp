#pragma once

#include <cstddef>
#include <cstdint>

// How far the worker is in a chunk: one word of the shared page, `sequence << 24 | step`, which the
// worker writes before and after each element. After its death the word tells which element it was.
namespace coproc::memory {

/// A chunk has fewer elements than this.
inline constexpr std::uint64_t max_chunk_elements = 1 << 22;

constexpr std::uint64_t begun_step(std::uint64_t element) noexcept { return 2 * element + 1; }
constexpr std::uint64_t returned_step(std::uint64_t element) noexcept { return 2 * element + 2; }

constexpr std::uint64_t step_word(std::uint64_t sequence, std::uint64_t step) noexcept {
    return sequence << 24 | step;
}

/// What a worker's death costs a chunk: elements in a row, after those that were answered.
struct chunk_loss {
    std::size_t ran = 0;          ///< to their end; their results are lost
    std::size_t may_have_run = 0; ///< after these

    friend bool operator==(const chunk_loss&, const chunk_loss&) = default;
};

/**
 * @brief Judges a chunk that its dead worker had begun.
 *
 * Of its elements, the first `answered` have been; the worker was to begin with element `first`,
 * which is smaller than `elements`, and so is `answered` at most. A word that cannot be means that
 * the first unanswered element may have run: so each death costs an element or comes after one that
 * was answered, and whoever sends the rest again comes to an end.
 */
constexpr chunk_loss judge_chunk(std::uint64_t word, std::uint64_t sequence, std::size_t first,
                                 std::size_t answered, std::size_t elements) noexcept {
    if (answered == elements) {
        return {};
    }
    const std::uint64_t step = word & 0xFFFFFF;
    if (word >> 24 << 24 == step_word(sequence, 0) && step != 0) {
        const std::uint64_t element = (step - 1) / 2;
        const bool returned = step == returned_step(element);
        if (element >= first && element < answered) {
            return {};
        }
        if (element >= answered && element < elements) {
            return {static_cast<std::size_t>(element - answered) + returned, !returned};
        }
    }
    return {0, 1};
}

} // namespace coproc::memory
