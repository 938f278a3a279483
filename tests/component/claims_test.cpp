#include "memory/claims.hpp"

#include "support/catch.hpp"

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

using namespace coproc::memory;

namespace {

struct page_of_slots {
    std::vector<slot> words = std::vector<slot>(slot_count);
    claims both{words};
};

} // namespace

TEST_CASE("claims: a task is claimed or recalled, once") {
    page_of_slots page;
    CHECK(!page.both.claim(0));
    CHECK(!page.both.recall(0));
    page.both.offer(0);
    CHECK(page.both.claim(0));
    CHECK(!page.both.claim(0));
    CHECK(!page.both.recall(0));
    page.both.offer(1);
    CHECK(page.both.recall(1));
    CHECK(!page.both.recall(1));
    CHECK(!page.both.claim(1));
}

TEST_CASE("claims: the fate of a task is how far it had come") {
    page_of_slots page;
    page.both.offer(5);
    CHECK(page.both.fate(5) == task_fate::never_began);
    REQUIRE(page.both.claim(5));
    CHECK(page.both.fate(5) == task_fate::may_have_run);
    page.both.finish(5);
    CHECK(page.both.fate(5) == task_fate::ran);
}

TEST_CASE("claims: a word of another task says nothing about this one") {
    page_of_slots page;
    page.both.offer(3 + slot_count);
    CHECK(!page.both.claim(3));
    CHECK(!page.both.recall(3));
    CHECK(page.both.fate(3) == task_fate::may_have_run);
    CHECK(page.both.fate(3 + slot_count) == task_fate::never_began);
    page.words[7] = ~std::uint64_t{0};
    CHECK(page.both.fate(7) == task_fate::may_have_run);
}

TEST_CASE("claims: sequence numbers go far beyond the number of slots") {
    page_of_slots page;
    const std::uint64_t first = std::uint64_t{1} << 60;
    for (std::uint64_t sequence = first; sequence < first + 3 * slot_count; ++sequence) {
        page.both.offer(sequence);
        CHECK(page.both.claim(sequence));
        page.both.finish(sequence);
    }
}

TEST_CASE("claims: two threads want each task and one has it") {
    constexpr std::uint64_t rounds = 20'000;
    page_of_slots page;
    std::atomic<std::uint64_t> offered = 0; // tasks offered so far
    std::atomic<std::uint64_t> worked = 0;  // tasks that the worker is through with
    std::vector<char> claimed(rounds);
    std::vector<char> recalled(rounds);
    std::thread worker([&] {
        for (std::uint64_t sequence = 0; sequence < rounds; ++sequence) {
            while (offered.load(std::memory_order_relaxed) <= sequence) {
                std::this_thread::yield();
            }
            if (page.both.claim(sequence)) {
                claimed[sequence] = 1;
                page.both.finish(sequence);
            }
            worked.store(sequence + 1, std::memory_order_release);
        }
    });
    for (std::uint64_t sequence = 0; sequence < rounds; ++sequence) {
        page.both.offer(sequence);
        offered.store(sequence + 1, std::memory_order_relaxed);
        if (sequence % 3 != 0) {
            std::this_thread::yield();
        }
        recalled[sequence] = page.both.recall(sequence) ? 1 : 0;
        while (sequence >= slot_count / 2 &&
               worked.load(std::memory_order_acquire) < sequence - slot_count / 2) {
            std::this_thread::yield();
        }
    }
    worker.join();
    for (std::uint64_t sequence = 0; sequence < rounds; ++sequence) {
        REQUIRE(claimed[sequence] + recalled[sequence] == 1);
    }
}
