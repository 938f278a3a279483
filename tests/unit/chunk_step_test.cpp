#include "memory/chunk_step.hpp"
#include "support/catch.hpp"

// What a worker's death costs the chunk that it ran.

using namespace coproc::memory;

namespace {

/// Of ten elements, the worker was to begin with the third, and has answered the third and fourth.
chunk_loss judged(std::uint64_t step, std::uint64_t sequence = 7) {
    return judge_chunk(step_word(sequence, step), 7, 2, 4, 10);
}

} // namespace

TEST_CASE("the element that was running may have run, those before it have") {
    CHECK(judged(begun_step(4)) == chunk_loss{0, 1});
    CHECK(judged(begun_step(6)) == chunk_loss{2, 1});
    CHECK(judged(begun_step(9)) == chunk_loss{5, 1});
}

TEST_CASE("between two elements nothing may have run that did not") {
    CHECK(judged(returned_step(4)) == chunk_loss{1, 0});
    CHECK(judged(returned_step(9)) == chunk_loss{6, 0});
    CHECK(judged(returned_step(3)) == chunk_loss{0, 0}); // all that ran was answered
    CHECK(judge_chunk(step_word(7, returned_step(9)), 7, 2, 10, 10) == chunk_loss{});
}

TEST_CASE("a word that cannot be costs the first element that is left") {
    CHECK(judged(0) == chunk_loss{0, 1});
    CHECK(judged(begun_step(6), 6) == chunk_loss{0, 1}); // of an earlier task
    CHECK(judged(begun_step(10)) == chunk_loss{0, 1});
    CHECK(judged(returned_step(1)) == chunk_loss{0, 1});    // it was not to run that
    CHECK(judge_chunk(0, 0, 0, 0, 10) == chunk_loss{0, 1}); // the page as it was made
    CHECK(judge_chunk(~std::uint64_t{0}, 7, 2, 4, 10) == chunk_loss{0, 1});
}

TEST_CASE("whatever workers write, a chunk that is sent again and again comes to an end") {
    constexpr std::size_t elements = 6;
    for (std::uint64_t step = 0; step <= begun_step(elements) + 2; ++step) {
        for (std::size_t answered = 0; answered <= 1; ++answered) { // by each worker
            std::size_t settled = 0;
            int deaths = 0;
            while (settled < elements) {
                const std::size_t first = settled;
                settled += answered;
                const chunk_loss loss =
                    judge_chunk(step_word(7, step), 7, first, settled, elements);
                settled += loss.ran + loss.may_have_run;
                REQUIRE(settled <= elements);
                REQUIRE(settled > first);
                REQUIRE(++deaths <= static_cast<int>(elements));
            }
        }
    }
}

TEST_CASE("the largest chunk's steps fit into the word") {
    static_assert(returned_step(max_chunk_elements - 1) < (1 << 24));
    const std::uint64_t word = step_word(7, begun_step(max_chunk_elements - 1));
    CHECK(judge_chunk(word, 7, 0, max_chunk_elements - 2, max_chunk_elements) == chunk_loss{1, 1});
    CHECK(judge_chunk(word, 8, 0, max_chunk_elements - 2, max_chunk_elements) == chunk_loss{0, 1});
}
