#include "memory/shared_page.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <chrono>
#include <thread>
#include <variant>

// The words by which tasks learn that their values are settled.

namespace {

using namespace std::chrono_literals;
namespace memory = coproc::memory;
using memory::acceptance;
using memory::acceptances;

memory::shared_page make_page() {
    auto made = memory::shared_page::create();
    REQUIRE(std::holds_alternative<memory::shared_page>(made));
    return std::move(std::get<memory::shared_page>(made));
}

} // namespace

TEST_CASE("acceptances: the parent tells the task that has begun") {
    const memory::shared_page page = make_page();
    const acceptances words = page.acceptances();
    words.begin(3, 7);
    CHECK(words.look(3) == acceptance{0, false});
    words.settle(3, 7, 1);
    words.settle(3, 7, 2);
    CHECK(words.look(3) == acceptance{2, false});
    words.refuse(3, 7);
    CHECK(words.look(3) == acceptance{2, true});
    words.settle(3, 7, 3); // it stays unwanted
    CHECK(words.look(3) == acceptance{3, true});
    CHECK(words.look(2) == acceptance{});
}

TEST_CASE("acceptances: what is meant for another task changes nothing") {
    const memory::shared_page page = make_page();
    const acceptances words = page.acceptances();
    words.settle(0, 0, 5); // none has begun
    words.refuse(0, 0);
    CHECK(words.look(0) == acceptance{});
    words.begin(0, 8);
    words.settle(0, 7, 5);
    words.refuse(0, 7);
    words.refuse(0, 9);
    CHECK(words.look(0) == acceptance{});
    words.settle(0, 8, 1);
    words.begin(0, 9);
    CHECK(words.look(0) == acceptance{});
}

TEST_CASE("acceptances: numbers may be as great as they like") {
    const memory::shared_page page = make_page();
    const acceptances words = page.acceptances();
    const std::uint64_t great = 0xFFFF'FFFF'0000'0000;
    words.begin(15, great);
    words.settle(15, great, 0xFFFF'FFFF);
    CHECK(words.look(15) == acceptance{acceptances::settled_mask, false});
    words.settle(15, great, 0);
    CHECK(words.look(15) == acceptance{0, false});
}

TEST_CASE("acceptances: who waits for a change is woken") {
    const memory::shared_page page = make_page();
    page.acceptances().begin(1, 4);
    std::atomic<bool> begun = false;
    std::thread task([&] {
        begun = true;
        acceptance seen = page.acceptances().look(1);
        while (seen.settled == 0) {
            page.wait_for_acceptance(1, seen, 100s); // the limit only ends a test that hangs
            seen = page.acceptances().look(1);
        }
    });
    while (!begun) {
        std::this_thread::yield();
    }
    page.acceptances().settle(1, 4, 1);
    page.wake_acceptance_waiters(1);
    task.join();
    CHECK(page.acceptances().look(1).settled == 1);
}
