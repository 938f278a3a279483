#include "memory/arena.hpp"

#include "support/catch.hpp"
#include "support/processes.hpp"

#include <cstring>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

// The process's memory for arrays.

using namespace coproc::memory;

namespace {

arena_array_ptr allocate(std::size_t bytes) { return arena::instance().allocate(bytes); }

} // namespace

TEST_CASE("arena: arrays lie apart, and are found by their numbers") {
    const arena_array_ptr first = allocate(1000);
    const arena_array_ptr second = allocate(1000);
    CHECK(first->lies_in() == second->lies_in());
    CHECK(first->number() != second->number());
    CHECK(first->bytes().size() == 1000);
    CHECK(second->bytes().data() >= first->bytes().data() + 1000);
    CHECK(reinterpret_cast<std::uintptr_t>(second->bytes().data()) % 64 == 0);
    std::memset(first->writable(), 1, 1000);
    std::memset(second->writable(), 2, 1000);
    CHECK(first->bytes()[999] == std::byte{1});
    CHECK(arena::instance().find(first->number()) == first);
    CHECK(arena::instance().find(1'000'000'000) == nullptr);
}

TEST_CASE("arena: memory is used again when nobody has it any more") {
    arena_array_ptr array = allocate(100'000);
    const std::byte* const place = array->bytes().data();
    const std::uint64_t number = array->number();
    const std::weak_ptr<const arena_array> watched = array;
    arena_array_ptr another_owner = array;
    array.reset();
    CHECK(allocate(100'000)->bytes().data() != place);
    CHECK(arena::instance().find(number) != nullptr);
    another_owner.reset(); // the last one
    CHECK(watched.expired());
    CHECK(arena::instance().find(number) == nullptr);
    CHECK(allocate(100'000)->bytes().data() == place);
}

TEST_CASE("arena: what is larger than an extent is closed at once") {
    const arena_array_ptr keeps_an_extent = allocate(1);
    const std::size_t before = test::open_descriptors();
    const std::uint64_t closings = arena::closings();
    {
        const arena_array_ptr large = allocate(3 * normal_extent_bytes);
        CHECK(test::open_descriptors() == before + 1);
        large->writable()[3 * normal_extent_bytes - 1] = std::byte{1};
        CHECK(arena::closings() == closings);
    }
    CHECK(test::open_descriptors() == before);
    CHECK(arena::closings() == closings + 1);
    CHECK_THROWS_AS(allocate(static_cast<std::size_t>(max_array_bytes) + 1), std::bad_alloc);
    CHECK(test::open_descriptors() == before);
}

TEST_CASE("arena: any thread") {
    std::vector<std::thread> threads;
    std::vector<int> wrong(4);
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([t, &wrong] {
            std::vector<arena_array_ptr> held;
            for (std::size_t i = 0; i < 2000; ++i) {
                held.push_back(allocate(64 + i % 500));
                std::memset(held.back()->writable(), t, held.back()->bytes().size());
                if (held.size() > 20) {
                    const arena_array_ptr& oldest = held[i % 20];
                    for (const std::byte each : oldest->bytes()) {
                        wrong[static_cast<std::size_t>(t)] += each != static_cast<std::byte>(t);
                    }
                    held.erase(held.begin() + static_cast<std::ptrdiff_t>(i % 20));
                }
            }
        });
    }
    for (std::thread& each : threads) {
        each.join();
    }
    CHECK((wrong == std::vector<int>(4)));
}

TEST_CASE("arena: a forked child has one of its own") {
    arena_array_ptr array = allocate(5000);
    array->writable()[0] = std::byte{7};
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const bool same = array->bytes()[0] == std::byte{7};
        array.reset(); // is nothing to the parent's arena
        const arena_array_ptr own = allocate(5000);
        own->writable()[0] = std::byte{9};
        ::_exit(same && own->number() == 1 ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(array->bytes()[0] == std::byte{7});
}
