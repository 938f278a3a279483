#include "stream/mailbox.hpp"

#include "support/catch.hpp"
#include "support/wire_samples.hpp"

#include <string>
#include <vector>

// What is kept of what tasks report, who waits, and when it is over.

namespace {

using coproc::streams::mailbox;
using coproc::streams::reporter;
using coproc::wire::payload_buffer;

payload_buffer payload(const std::string& text) { return payload_buffer(test::to_bytes(text)); }

/// All that can be read, as "index:value".
std::vector<std::string> read_all(mailbox& box) {
    std::vector<std::string> all;
    while (auto next = box.take()) {
        all.push_back(std::to_string(next->index) + ':' + test::to_text(next->bytes.bytes()));
    }
    return all;
}

using texts = std::vector<std::string>;

} // namespace

TEST_CASE("mailbox: values are read in the order in which they came") {
    mailbox box(3, false);
    reporter a;
    reporter b;
    box.add(a);
    box.add(b);
    CHECK_FALSE(box.has_value());
    CHECK(box.arrive(a, payload("a0"), 0));
    CHECK(box.arrive(b, payload("b0"), 0));
    CHECK(box.arrive(a, payload(""), 0));
    CHECK(box.has_value());
    CHECK(read_all(box) == texts{"0:a0", "1:b0", "2:"});
    CHECK(box.dropped() == 0);
    CHECK(a.settled == 2);
    CHECK(b.settled == 1);
}

TEST_CASE("mailbox: full, it forgets the oldest values and counts them") {
    mailbox box(2, false);
    reporter r;
    box.add(r);
    for (const char* const text : {"0", "1", "2", "3", "4"}) {
        CHECK(box.arrive(r, payload(text), 0));
    }
    CHECK(r.settled == 5);
    CHECK(box.dropped() == 3);
    CHECK(read_all(box) == texts{"3:3", "4:4"});
    CHECK(box.dropped() == 3);
}

TEST_CASE("mailbox: with room for one the newest value is the one") {
    mailbox box(1, false);
    reporter r;
    box.add(r);
    CHECK(box.arrive(r, payload("old"), 0));
    CHECK(box.arrive(r, payload("new"), 0));
    CHECK(read_all(box) == texts{"1:new"});
}

TEST_CASE("mailbox: what a worker had to drop is counted, and leaves a gap") {
    mailbox box(4, false);
    reporter r;
    box.add(r);
    box.arrive(r, payload("a"), 0);
    box.arrive(r, payload("b"), 7);
    CHECK(box.dropped() == 7);
    CHECK(read_all(box) == texts{"0:a", "8:b"});
    box.lose(r);
    box.arrive(r, payload("c"), 0);
    CHECK(box.dropped() == 8);
    CHECK(read_all(box) == texts{"10:c"});
}

TEST_CASE("mailbox: tasks that wait get their places first come, first served") {
    mailbox box(1, true);
    reporter a;
    reporter b;
    box.add(a);
    box.add(b);
    CHECK(box.arrive(a, payload("a0"), 0));
    CHECK_FALSE(box.arrive(a, payload("a1"), 0));
    CHECK_FALSE(box.arrive(b, payload("b0"), 0));
    CHECK(a.settled == 1);
    CHECK(b.settled == 0);

    auto first = box.take();
    REQUIRE(first);
    CHECK(first->index == 0);
    CHECK(first->settled == &a);
    CHECK(a.settled == 2);
    CHECK_FALSE(box.arrive(a, payload("a2"), 0)); // behind b
    auto second = box.take();
    REQUIRE(second);
    CHECK(test::to_text(second->bytes.bytes()) == "a1");
    CHECK(second->settled == &b);
    CHECK(read_all(box) == texts{"2:b0", "3:a2"});
    CHECK(a.settled == 3);
    CHECK(b.settled == 1);
    CHECK(box.dropped() == 0);
}

TEST_CASE("mailbox: a task that should wait and does not has one value at a time") {
    mailbox box(1, true);
    reporter r;
    box.add(r);
    for (int i = 0; i < 1000; ++i) {
        box.arrive(r, payload(std::to_string(i)), 0);
    }
    CHECK(r.settled == 999);
    CHECK(box.dropped() == 998);
    CHECK(read_all(box) == texts{"0:0", "999:999"});
}

TEST_CASE("mailbox: the end is when no sink and no task with one is left, and all is read") {
    mailbox box(2, false);
    CHECK(box.ended()); // there never was a sink
    box.add_sink();
    CHECK_FALSE(box.ended());
    CHECK_FALSE(box.expects_values());
    reporter r;
    box.add(r);
    box.remove_sink();
    CHECK_FALSE(box.ended());
    CHECK(box.expects_values());
    box.arrive(r, payload("last"), 0);
    box.remove(r);
    CHECK_FALSE(box.expects_values());
    CHECK_FALSE(box.ended());
    CHECK(read_all(box) == texts{"0:last"});
    CHECK(box.ended());
    box.add_sink(); // it goes on
    CHECK_FALSE(box.ended());
    box.remove_sink();
    CHECK(box.ended());
}

TEST_CASE("mailbox: a value that waits when its task ends is dropped, others stay") {
    mailbox box(1, true);
    reporter a;
    reporter b;
    box.add(a);
    box.add(b);
    box.arrive(a, payload("a0"), 0);
    box.arrive(a, payload("a1"), 0);
    box.arrive(b, payload("b0"), 0);
    box.remove(a);
    CHECK(box.dropped() == 1);
    CHECK(read_all(box) == texts{"0:a0", "2:b0"});
    box.remove(b);
    CHECK(box.ended());
}

TEST_CASE("mailbox: another run of a task counts anew, and keeps what was sent") {
    mailbox box(1, true);
    reporter r;
    box.add(r);
    box.begin_run(r);
    box.arrive(r, payload("first run"), 0);
    box.arrive(r, payload("and its death"), 0);
    box.begin_run(r);
    CHECK(r.settled == 0);
    CHECK_FALSE(r.waiting);
    CHECK_FALSE(box.arrive(r, payload("second run"), 0));
    const auto first = box.take();
    REQUIRE(first);
    CHECK(first->settled == &r);
    CHECK(r.settled == 1);
    CHECK(read_all(box) == texts{"2:second run"});
    CHECK(box.dropped() == 1);
}

TEST_CASE("mailbox: closed, it keeps nothing and lets nobody wait") {
    mailbox box(1, true);
    reporter r;
    box.add_sink();
    box.add(r);
    box.arrive(r, payload("kept"), 0);
    box.arrive(r, payload("waits"), 0);
    box.close();
    CHECK(box.ended());
    CHECK_FALSE(box.expects_values());
    CHECK(box.dropped() == 2);
    CHECK(r.settled == 2);
    CHECK(box.arrive(r, payload("late"), 2));
    CHECK_FALSE(box.has_value());
    CHECK(box.dropped() == 5);
    box.remove(r);
    box.remove_sink();
    CHECK(box.ended());
}
