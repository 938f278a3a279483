#include "stream/window.hpp"
#include "support/catch.hpp"
#include "support/wire_samples.hpp"

#include <map>
#include <set>

// Which elements a stream holds, and which one it gives next.

using coproc::streams::position;
using coproc::streams::window;

TEST_CASE("a window holds no more tasks than its limit, done or not, until they are taken") {
    window w(2, true);
    CHECK(w.wants_task());
    const auto first = w.add(1);
    const auto second = w.add(1);
    CHECK_FALSE(w.wants_task());
    w.available(first, 1);
    w.available(second, 1);
    CHECK_FALSE(w.wants_task());
    CHECK(w.take() == position{first, 0, 0, true});
    CHECK(w.wants_task());
    CHECK(w.held() == 1);
}

TEST_CASE("an ordered window gives elements in the order of the range") {
    window w(3, true);
    const auto a = w.add(1);
    const auto b = w.add(1);
    const auto c = w.add(1);
    w.available(c, 1);
    w.available(b, 1);
    CHECK_FALSE(w.has_element());
    CHECK_FALSE(w.take());
    w.available(a, 1);
    CHECK(w.take()->index == 0);
    CHECK(w.take()->index == 1);
    CHECK(w.take()->index == 2);
    CHECK_FALSE(w.take());
}

TEST_CASE("a window without order gives elements as they become available") {
    window w(3, false);
    const auto a = w.add(1);
    const auto b = w.add(1);
    const auto c = w.add(1);
    CHECK_FALSE(w.has_element());
    w.available(c, 1);
    w.available(a, 1);
    CHECK(w.take()->index == 2);
    w.available(b, 1);
    CHECK(w.take()->index == 0);
    CHECK(w.take()->index == 1);
}

TEST_CASE("the elements of a chunk are given one by one, as far as they are available") {
    for (const bool ordered : {true, false}) {
        window w(2, ordered);
        const auto chunk = w.add(3);
        const auto next = w.add(2);
        w.available(chunk, 2);
        CHECK(w.take() == position{chunk, 0, 0, false});
        CHECK(w.take() == position{chunk, 1, 1, false});
        CHECK_FALSE(w.take());
        w.available(chunk, 3);
        CHECK(w.take() == position{chunk, 2, 2, true});
        w.available(next, 2);
        CHECK(w.take() == position{next, 3, 0, false});
        CHECK(w.take() == position{next, 4, 1, true});
    }
}

TEST_CASE("a window ends when it is closed and everything was taken") {
    window w(2, true);
    const auto a = w.add(1);
    CHECK_FALSE(w.ended());
    w.close();
    CHECK_FALSE(w.wants_task());
    CHECK_FALSE(w.ended());
    w.available(a, 1);
    CHECK_FALSE(w.ended());
    CHECK(w.take());
    CHECK(w.ended());
}

TEST_CASE("a window that forgets has ended, and hears nothing more") {
    window w(2, false);
    const auto a = w.add(2);
    w.available(a, 1);
    w.forget();
    CHECK(w.ended());
    CHECK_FALSE(w.has_element());
    CHECK_FALSE(w.take());
    w.available(a, 2);
    CHECK_FALSE(w.take());
    CHECK(w.ended());
}

TEST_CASE("a window that gives up its order keeps what is available") {
    window w(3, true);
    const auto a = w.add(1);
    const auto b = w.add(1);
    const auto c = w.add(1);
    w.available(c, 1);
    w.in_any_order();
    w.in_any_order();
    CHECK(w.take()->index == 2);
    w.available(b, 1);
    w.available(a, 1);
    CHECK(w.take()->index == 1);
    CHECK(w.take()->index == 0);
    CHECK(w.held() == 0);
}

namespace {

/// What a window must do, said in the simplest way.
struct model {
    struct task {
        std::size_t first, count, until = 0;
    };
    std::map<std::uint32_t, task> tasks; // those that are held
    std::set<std::size_t> given;
    std::size_t next_index = 0;
};

void play(std::uint64_t seed) {
    test::seeded random(seed);
    const std::size_t limit = 1 + random.below(6);
    bool ordered = random.one_in(2);
    window w(limit, ordered);
    model m;
    const std::size_t length = random.below(60);
    for (int step = 0; step < 400 && !w.ended(); ++step) {
        REQUIRE(w.held() == m.tasks.size());
        REQUIRE(w.wants_task() == (!w.closed() && m.tasks.size() < limit));
        if (w.wants_task() && m.next_index >= length) {
            w.close();
        } else if (w.wants_task() && random.one_in(2)) {
            const std::size_t count = 1 + random.below(4);
            const std::uint32_t number = w.add(count);
            REQUIRE_FALSE(m.tasks.contains(number));
            m.tasks[number] = {m.next_index, count};
            m.next_index += count;
        } else if (!m.tasks.empty() && random.one_in(2)) {
            auto any = std::next(m.tasks.begin(),
                                 static_cast<std::ptrdiff_t>(random.below(m.tasks.size())));
            auto& [number, t] = *any;
            t.until = std::max(t.until, 1 + random.below(t.count));
            w.available(number, t.until);
        } else if (random.one_in(50)) {
            ordered = false;
            w.in_any_order();
        } else {
            std::set<std::size_t> possible;
            std::size_t lowest = m.next_index;
            for (const auto& [number, t] : m.tasks) {
                for (std::size_t i = 0; i < t.count; ++i) {
                    if (!m.given.contains(t.first + i)) {
                        lowest = std::min(lowest, t.first + i);
                        if (i < t.until) {
                            possible.insert(t.first + i);
                        }
                        break; // a chunk gives its own in order
                    }
                }
            }
            if (ordered && !possible.contains(lowest)) {
                possible.clear();
            }
            REQUIRE(w.has_element() == !possible.empty());
            const auto got = w.take();
            REQUIRE(got.has_value() == !possible.empty());
            if (got) {
                REQUIRE(possible.contains(got->index));
                REQUIRE((!ordered || got->index == lowest));
                const model::task t = m.tasks.at(got->task);
                REQUIRE(got->index == t.first + got->offset);
                REQUIRE(got->last == (got->offset + 1 == t.count));
                m.given.insert(got->index);
                if (got->last) {
                    m.tasks.erase(got->task);
                }
            }
        }
    }
    if (w.ended()) {
        CHECK(m.given.size() == m.next_index);
        CHECK(m.tasks.empty());
    }
}

} // namespace

TEST_CASE("whatever happens in whatever order, each element is given once") {
    for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
        CAPTURE(seed);
        play(seed);
    }
}
