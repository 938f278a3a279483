#include "wire/frame_writer.hpp"

#include "support/catch.hpp"
#include "support/wire_samples.hpp"

#include "wire/frame_reader.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

using namespace coproc::wire;
using test::bytes;

namespace {

/// What a writer would write next, without consuming it.
bytes pending_of(const frame_writer& writer) {
    std::vector<std::span<const std::byte>> pieces(64);
    pieces.resize(writer.pending(pieces));
    bytes all;
    for (const std::span<const std::byte> piece : pieces) {
        CHECK(!piece.empty());
        all.insert(all.end(), piece.begin(), piece.end());
    }
    return all;
}

} // namespace

TEST_CASE("frame_writer: frames follow one another") {
    frame_writer writer;
    CHECK(writer.empty());
    writer.append(task_header{.id = 1}, test::counting_bytes(5));
    writer.append_doorbell();
    writer.append(request_exit{});
    bytes expected = test::make_frame(task_header{.id = 1}, test::counting_bytes(5));
    expected.resize(expected.size() + header_bytes);
    const bytes last = test::make_frame(request_exit{});
    expected.insert(expected.end(), last.begin(), last.end());
    CHECK(writer.pending_bytes() == expected.size());
    CHECK(pending_of(writer) == expected);
    writer.consume(expected.size());
    CHECK(writer.empty());
    CHECK(pending_of(writer).empty());
}

TEST_CASE("frame_writer: a borrowed payload is not copied and gives the same bytes") {
    for (const std::size_t size : {0, 1, 15, 16, 17, 1000}) {
        INFO(size);
        const auto payload = std::make_shared<const bytes>(test::counting_bytes(size));
        frame_writer writer;
        writer.append(task_header{.id = 1});
        writer.append(task_header{.id = 2}, *payload, payload);
        writer.append(task_header{.id = 3});
        bytes expected;
        for (std::uint64_t id = 1; id <= 3; ++id) {
            const bytes frame =
                test::make_frame(task_header{.id = id}, id == 2 ? *payload : bytes());
            expected.insert(expected.end(), frame.begin(), frame.end());
        }
        CHECK(pending_of(writer) == expected);
        CHECK(writer.pending_bytes() == expected.size());
        if (size != 0) {
            std::span<const std::byte> pieces[2];
            REQUIRE(writer.pending(pieces) == 2);
            CHECK(pieces[1].data() == payload->data());
            CHECK(payload.use_count() == 2);
        }
        writer.consume(expected.size());
        CHECK(payload.use_count() == 1);
    }
}

TEST_CASE("frame_writer: a message that does not fit is not appended") {
    frame_writer writer;
    const std::string path(max_envelope_bytes, 'p');
    CHECK(!writer.append(module_header{.path = path}, test::counting_bytes(10)));
    CHECK(writer.empty());
    CHECK(writer.append(module_header{.path = "p"}));
    CHECK(pending_of(writer) == test::make_frame(module_header{.path = "p"}));
}

TEST_CASE("frame_writer: an owner is let go when the last byte of its payload is written") {
    const auto payload = std::make_shared<const bytes>(test::counting_bytes(100));
    frame_writer writer;
    writer.append(task_header{}, *payload, payload);
    writer.append(task_header{});
    const std::size_t first_frame = test::make_frame(task_header{}, *payload).size();
    writer.consume(first_frame - padding_after(100) - 1);
    CHECK(payload.use_count() == 2);
    writer.consume(padding_after(100) + 1);
    CHECK(payload.use_count() == 1);
    CHECK(writer.pending_bytes() == test::make_frame(task_header{}).size());
}

TEST_CASE("frame_writer: fewer pieces than there are") {
    const auto payload = std::make_shared<const bytes>(test::counting_bytes(10));
    frame_writer writer;
    for (std::uint64_t id = 0; id < 5; ++id) {
        writer.append(task_header{.id = id}, *payload, payload);
    }
    const bytes all = pending_of(writer);
    bytes written;
    while (!writer.empty()) {
        std::span<const std::byte> piece[1];
        REQUIRE(writer.pending(piece) == 1);
        written.insert(written.end(), piece[0].begin(), piece[0].end());
        writer.consume(piece[0].size());
    }
    CHECK(written == all);
    CHECK(payload.use_count() == 1);
}

TEST_CASE("frame_writer: any mixture comes out in order whatever the stream takes at a time") {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        INFO(seed);
        test::seeded random(seed);
        frame_writer writer;
        bytes expected;
        bytes written;
        for (int i = 0; i < 60; ++i) {
            const auto payload = std::make_shared<const bytes>(
                test::counting_bytes(random.one_in(10) ? random.below(20'000) : random.below(50)));
            const task_header task{.id = random.any()};
            if (random.one_in(3)) {
                writer.append(task, *payload, payload);
            } else {
                writer.append(task, *payload);
            }
            const bytes frame = test::make_frame(task, *payload);
            expected.insert(expected.end(), frame.begin(), frame.end());
            while (!writer.empty() && !random.one_in(4)) {
                std::span<const std::byte> pieces[3];
                const std::size_t listed = writer.pending(pieces);
                const std::span<const std::byte> piece = pieces[0];
                REQUIRE(listed > 0);
                const std::size_t count = 1 + random.below(piece.size());
                written.insert(written.end(), piece.begin(),
                               piece.begin() + static_cast<std::ptrdiff_t>(count));
                writer.consume(count);
            }
        }
        CHECK(written.size() + writer.pending_bytes() == expected.size());
        test::write_all(writer, written);
        REQUIRE(written == expected);
    }
}

namespace {

/// What one write takes, and the descriptor that goes with it.
struct one_write {
    bytes data;
    int descriptor;
};

/// Writes all, at most `most` bytes at a time.
std::vector<one_write> writes_of(frame_writer& writer, std::size_t most) {
    std::vector<one_write> all;
    while (!writer.empty()) {
        bytes next = pending_of(writer);
        REQUIRE(!next.empty());
        next.resize(std::min(next.size(), most));
        all.push_back({next, writer.descriptor()});
        writer.consume(next.size());
    }
    CHECK(writer.descriptor() == -1);
    return all;
}

} // namespace

TEST_CASE("frame_writer: a descriptor goes with the first byte of its frame") {
    const auto payload = std::make_shared<const bytes>(test::counting_bytes(50));
    for (const std::size_t most : {1, 16, 40, 1000000}) {
        INFO(most);
        const auto owner = std::make_shared<int>(0);
        frame_writer writer;
        const auto append_all = [&] {
            writer.append(task_header{.id = 1}, *payload, payload);
            writer.append_with_descriptor(extent_header{.number = 1}, 11, owner);
            writer.append(task_header{.id = 2}, *payload, payload);
            writer.append(task_header{.id = 3}, *payload);
            writer.append_with_descriptor(extent_header{.number = 2}, 12, owner);
            writer.append_with_descriptor(extent_header{.number = 3}, 13, owner);
            writer.append(task_header{.id = 4});
        };
        bytes expected;
        const auto expect = [&](const bytes& frame) {
            const std::size_t begin = expected.size();
            expected.insert(expected.end(), frame.begin(), frame.end());
            return begin;
        };
        std::vector<std::size_t> begins;
        expect(test::make_frame(task_header{.id = 1}, *payload));
        begins.push_back(expect(test::make_frame(extent_header{.number = 1})));
        expect(test::make_frame(task_header{.id = 2}, *payload));
        expect(test::make_frame(task_header{.id = 3}, *payload));
        begins.push_back(expect(test::make_frame(extent_header{.number = 2})));
        begins.push_back(expect(test::make_frame(extent_header{.number = 3})));
        expect(test::make_frame(task_header{.id = 4}));

        for (int round = 0; round < 2; ++round) { // places count on
            append_all();
            CHECK(owner.use_count() == 4);
            bytes written;
            std::vector<std::size_t> found;
            std::vector<int> descriptors;
            for (const one_write& each : writes_of(writer, most)) {
                if (each.descriptor != -1) {
                    found.push_back(written.size());
                    descriptors.push_back(each.descriptor);
                }
                written.insert(written.end(), each.data.begin(), each.data.end());
            }
            CHECK(written == expected);
            CHECK(found == begins);
            CHECK((descriptors == std::vector<int>{11, 12, 13}));
            CHECK(owner.use_count() == 1);
        }
    }
}
