#include "memory/reply_ring.hpp"

#include "support/catch.hpp"
#include "support/wire_samples.hpp"

#include "wire/messages.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <semaphore>
#include <span>
#include <thread>
#include <variant>
#include <vector>

using namespace coproc::memory;
using coproc::wire::doorbell_frame;
using coproc::wire::encode;
using coproc::wire::frame_error;
using coproc::wire::frame_event;
using coproc::wire::frame_kind;
using coproc::wire::max_head_bytes;
using coproc::wire::reply_header;
using coproc::wire::report;
using test::bytes;

namespace {

/// A ring in ordinary memory, and both its sides.
template <std::size_t Size>
struct ring_fixture {
    ring_words words{};
    alignas(16) std::byte memory[Size] = {};
    reply_ring_writer writer{words, memory};
    reply_ring_reader reader{words, memory};

    append_result append(std::uint64_t sequence, std::span<const std::byte> payload = {}) {
        alignas(16) std::byte head[max_head_bytes];
        const std::size_t size = encode(reply_header{.sequence = sequence}, payload.size(), head);
        return writer.append(std::span<const std::byte>(head).first(size), payload);
    }

    /// What a hostile worker would do: bytes at the beginning, and a tail.
    void forge(std::span<const std::byte> content, std::uint64_t tail) {
        std::ranges::copy(content, memory);
        words.tail = tail;
    }
};

std::uint64_t sequence_of(const frame_event& event) {
    REQUIRE(event.kind == frame_kind::complete);
    const report parsed = coproc::wire::parse_report(event.frame.envelope);
    REQUIRE(std::holds_alternative<reply_header>(parsed));
    return std::get<reply_header>(parsed).sequence;
}

constexpr std::size_t small_reply = 48; ///< a reply without payload

} // namespace

TEST_CASE("reply_ring: what goes in comes out") {
    ring_fixture<4096> ring;
    CHECK(ring.reader.next().kind == frame_kind::need_more);
    const bytes payload = test::counting_bytes(37);
    CHECK(ring.append(1) == append_result::appended);
    CHECK(ring.append(2, payload) == append_result::appended);
    CHECK(sequence_of(ring.reader.next()) == 1);
    const frame_event second = ring.reader.next();
    CHECK(sequence_of(second) == 2);
    CHECK(std::ranges::equal(second.frame.payload, payload));
    CHECK(std::ranges::equal(ring.reader.take_payload().bytes(), payload));
    CHECK(ring.reader.next().kind == frame_kind::need_more);
}

TEST_CASE("reply_ring: a payload is followed by zeros, whatever lay there") {
    ring_fixture<256> ring;
    std::ranges::fill(ring.memory, std::byte{0xFF});
    CHECK(ring.append(1, test::counting_bytes(3)) == append_result::appended);
    const bytes expected = test::make_frame(reply_header{.sequence = 1}, test::counting_bytes(3));
    CHECK(std::equal(expected.begin(), expected.end(), ring.memory));
    CHECK(ring.memory[expected.size()] == std::byte{0xFF});
}

TEST_CASE("reply_ring: a full ring takes nothing, and all of it again when it was read") {
    ring_fixture<256> ring;
    for (std::uint64_t round = 0; round < 50; ++round) {
        std::uint64_t count = 0;
        while (ring.append(round * 100 + count) != append_result::no_room) {
            ++count;
        }
        CHECK(count == 256 / small_reply);
        CHECK(ring.append(9999) == append_result::no_room);
        for (std::uint64_t i = 0; i < count; ++i) {
            CHECK(sequence_of(ring.reader.next()) == round * 100 + i);
        }
        CHECK(ring.reader.next().kind == frame_kind::need_more);
    }
}

TEST_CASE("reply_ring: a frame larger than a quarter goes elsewhere") {
    ring_fixture<1024> ring;
    const bytes most = test::counting_bytes(256 - small_reply);
    CHECK(ring.append(1, most) == append_result::appended);
    CHECK(ring.append(2, test::counting_bytes(most.size() + 1)) == append_result::no_room);
    CHECK(ring.append(2, test::counting_bytes(100'000)) == append_result::no_room);
    const frame_event event = ring.reader.next();
    CHECK(std::ranges::equal(event.frame.payload, most));
    CHECK(ring.reader.next().kind == frame_kind::need_more);
}

TEST_CASE("reply_ring: a reader knows how far what is there goes") {
    ring_fixture<1024> ring;
    CHECK(ring.reader.position() == 0);
    CHECK(ring.reader.published() == 0);
    CHECK(ring.append(1) == append_result::appended);
    CHECK(ring.append(2) == append_result::appended);
    const std::uint64_t end = ring.reader.published();
    CHECK(end == 2 * small_reply);
    CHECK(sequence_of(ring.reader.next()) == 1);
    CHECK(ring.reader.position() == small_reply);
    CHECK(ring.append(3) == append_result::appended); // later than that
    CHECK(sequence_of(ring.reader.next()) == 2);
    CHECK(ring.reader.position() == end);
    CHECK(ring.reader.published() == end + small_reply);
    ring.words.tail = ~std::uint64_t{0}; // a lie leads no further than one ring
    CHECK(ring.reader.published() <= end + 1024);
}

TEST_CASE("reply_ring: frames of all sizes wrap around at all places") {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        INFO(seed);
        test::seeded random(seed);
        ring_fixture<1024> ring;
        std::deque<bytes> expected;
        std::uint64_t appended = 0;
        std::uint64_t received = 0;
        for (int i = 0; i < 300; ++i) {
            if (random.one_in(2)) {
                const bytes payload = test::counting_bytes(random.below(250));
                if (ring.append(appended, payload) != append_result::no_room) {
                    expected.push_back(payload);
                    ++appended;
                }
                continue;
            }
            const frame_event event = ring.reader.next();
            REQUIRE((event.kind == frame_kind::need_more) == expected.empty());
            if (!expected.empty()) {
                REQUIRE(sequence_of(event) == received++);
                REQUIRE(std::ranges::equal(event.frame.payload, expected.front()));
                expected.pop_front();
            }
        }
        CHECK(appended > 50);
    }
}

TEST_CASE("reply_ring: the bell rings once for each time that it was armed") {
    ring_fixture<4096> ring;
    CHECK(ring.append(0) == append_result::appended);
    CHECK(!ring.reader.arm()); // there is a reply
    CHECK(ring.append(1) == append_result::appended);
    CHECK(sequence_of(ring.reader.next()) == 0);
    CHECK(sequence_of(ring.reader.next()) == 1);
    CHECK(ring.reader.arm());
    CHECK(ring.append(2) == append_result::ring_bell);
    CHECK(ring.append(3) == append_result::appended);
    CHECK(sequence_of(ring.reader.next()) == 2);
    CHECK(sequence_of(ring.reader.next()) == 3);
    CHECK(ring.reader.arm());
    ring.reader.disarm();
    CHECK(ring.append(4) == append_result::appended);
}

TEST_CASE("reply_ring: what was copied out and not looked at is not slept on") {
    ring_fixture<4096> ring;
    CHECK(ring.append(0) == append_result::appended);
    const std::uint64_t end = ring.reader.published();
    CHECK(ring.append(1) == append_result::appended);
    CHECK(sequence_of(ring.reader.next()) == 0);
    CHECK(ring.reader.position() == end); // where who looks once stops
    CHECK(!ring.reader.arm());
    CHECK(sequence_of(ring.reader.next()) == 1);
    CHECK(ring.reader.arm());
}

TEST_CASE("reply_ring: what did not fit does not ring") {
    ring_fixture<256> ring;
    CHECK(ring.reader.arm());
    CHECK(ring.append(0, test::counting_bytes(1000)) == append_result::no_room);
    CHECK(ring.append(0) == append_result::ring_bell);
}

TEST_CASE("reply_ring: a tail that cannot be is an error for good") {
    for (const std::uint64_t tail : {std::uint64_t{4096 + 16}, std::uint64_t{8}, std::uint64_t{17},
                                     UINT64_MAX, UINT64_MAX - 15, std::uint64_t{1} << 63}) {
        INFO(tail);
        ring_fixture<4096> ring;
        ring.forge({}, tail);
        const frame_event event = ring.reader.next();
        CHECK(event.kind == frame_kind::malformed);
        CHECK(event.error == frame_error::ring_broken);
        ring.words.tail = 0;
        CHECK(ring.reader.next().kind == frame_kind::malformed);
    }
}

TEST_CASE("reply_ring: a tail that goes back is an error") {
    ring_fixture<4096> ring;
    CHECK(ring.append(0) == append_result::appended);
    CHECK(sequence_of(ring.reader.next()) == 0);
    ring.words.tail = 16;
    CHECK(ring.reader.next().error == frame_error::ring_broken);
}

TEST_CASE("reply_ring: what the worker writes into head does not lead the parent astray") {
    ring_fixture<4096> ring;
    CHECK(ring.append(0) == append_result::appended);
    ring.words.head = 12345;
    CHECK(sequence_of(ring.reader.next()) == 0);
    CHECK(ring.words.head == small_reply);
}

TEST_CASE("reply_ring: a published part of a frame is an error") {
    const bytes frame = test::make_frame(reply_header{.sequence = 1}, test::counting_bytes(40));
    for (std::size_t size = 16; size < frame.size(); size += 16) {
        INFO(size);
        ring_fixture<4096> ring;
        ring.forge(frame, size);
        CHECK(ring.reader.next().error == frame_error::truncated);
    }
}

TEST_CASE("reply_ring: a doorbell in the ring is an error") {
    ring_fixture<4096> ring;
    ring.forge(doorbell_frame, sizeof doorbell_frame);
    CHECK(ring.reader.next().error == frame_error::doorbell_in_ring);
}

TEST_CASE("reply_ring: a frame larger than the worker may append is an error") {
    const bytes frame = test::make_frame(reply_header{.sequence = 1}, test::counting_bytes(1024));
    ring_fixture<4096> ring;
    ring.forge(frame, frame.size());
    CHECK(ring.reader.next().error == frame_error::frame_too_large);
}

TEST_CASE("reply_ring: a frame that changes after it was copied stays as it was") {
    ring_fixture<4096> ring;
    const bytes payload = test::counting_bytes(100);
    CHECK(ring.append(7, payload) == append_result::appended);
    const frame_event event = ring.reader.next();
    std::ranges::fill(ring.memory, std::byte{0xFF});
    CHECK(sequence_of(event) == 7);
    CHECK(std::ranges::equal(event.frame.payload, payload));
}

TEST_CASE("reply_ring: rings of noise do no harm") {
    std::size_t malformed = 0;
    for (std::uint64_t seed = 0; seed < 3000; ++seed) {
        test::seeded random(seed);
        ring_fixture<1024> ring;
        const bytes frame = test::make_frame(reply_header{.sequence = seed},
                                             test::counting_bytes(random.below(100)));
        for (std::size_t at = 0; at + frame.size() <= sizeof ring.memory; at += frame.size()) {
            std::ranges::copy(frame, ring.memory + at);
        }
        for (std::size_t count = random.below(4); count != 0; --count) {
            ring.memory[random.below(sizeof ring.memory)] = static_cast<std::byte>(random.any());
        }
        ring.words.tail = random.one_in(4) ? random.any() : 16 * random.below(66);
        frame_event event = ring.reader.next();
        std::size_t frames = 0;
        while (event.kind == frame_kind::complete) {
            static_cast<void>(coproc::wire::parse_report(event.frame.envelope));
            REQUIRE(++frames <= 1024 / small_reply);
            event = ring.reader.next();
        }
        malformed += event.kind == frame_kind::malformed;
    }
    CHECK(malformed > 1000);
}

TEST_CASE("reply_ring: two threads, and the parent sleeps whenever the ring is empty") {
    // The semaphore is the socket: a lost doorbell would hang the test.
    constexpr std::uint64_t replies = 100'000;
    ring_fixture<4096> ring;
    std::counting_semaphore<> doorbells(0);
    std::thread worker([&] {
        const bytes payload = test::counting_bytes(200);
        for (std::uint64_t sequence = 0; sequence < replies; ++sequence) {
            const std::span<const std::byte> part(payload.data(), sequence % 200);
            append_result result = ring.append(sequence, part);
            while (result == append_result::no_room) {
                std::this_thread::yield();
                result = ring.append(sequence, part);
            }
            if (result == append_result::ring_bell) {
                doorbells.release();
            }
            if (sequence % 64 == 0) {
                std::this_thread::yield();
            }
        }
    });
    const bytes payload = test::counting_bytes(200);
    std::uint64_t received = 0;
    bool in_order = true;
    while (received < replies) {
        const frame_event event = ring.reader.next();
        if (event.kind == frame_kind::need_more) {
            if (ring.reader.arm()) {
                doorbells.acquire();
            }
            continue;
        }
        if (event.kind != frame_kind::complete) {
            break;
        }
        const report parsed = coproc::wire::parse_report(event.frame.envelope);
        const auto* reply = std::get_if<reply_header>(&parsed);
        in_order = in_order && reply != nullptr && reply->sequence == received &&
                   event.frame.payload.size() == received % 200 &&
                   std::memcmp(event.frame.payload.data(), payload.data(), received % 200) == 0;
        ++received;
    }
    worker.join();
    CHECK(received == replies);
    CHECK(in_order);
}
