#include "wire/frame_reader.hpp"

#include "support/catch.hpp"
#include "support/wire_samples.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

using namespace coproc::wire;
using test::bytes;

namespace {

constexpr std::uint64_t limit = 64 * 1024 * 1024;

/// Hands over `stream` in reads of `step` bytes, and calls `see` for all that comes out but
/// need_more.
template <class See>
void feed(frame_reader& reader, std::span<const std::byte> stream, std::size_t step, See see) {
    while (!stream.empty()) {
        const std::span<std::byte> into = reader.prepare();
        REQUIRE(!into.empty());
        const std::size_t count = std::min({step, into.size(), stream.size()});
        std::memcpy(into.data(), stream.data(), count);
        reader.commit(count);
        stream = stream.subspan(count);
        for (frame_event event = reader.next(); event.kind != frame_kind::need_more;
             event = reader.next()) {
            see(event);
            if (event.kind == frame_kind::malformed) {
                return;
            }
        }
    }
}

bytes header_alone(std::uint32_t envelope, std::uint32_t zero, std::uint64_t payload) {
    const frame_header header{.envelope_bytes = envelope, .zero = zero, .payload_bytes = payload};
    bytes made(header_bytes);
    std::memcpy(made.data(), &header, header_bytes);
    return made;
}

frame_error error_of(const bytes& stream) {
    frame_reader reader(limit);
    frame_error error = frame_error::none;
    feed(reader, stream, stream.size(), [&](const frame_event& event) { error = event.error; });
    return error;
}

} // namespace

TEST_CASE("frame_reader: frames come out whole whatever the pieces they arrive in") {
    std::vector<bytes> payloads;
    bytes stream;
    for (const std::size_t size : {0, 1, 15, 16, 17, 100, 5000, 70'000, 3, 300'000, 0}) {
        payloads.push_back(test::counting_bytes(size));
        const bytes frame = test::make_frame(task_header{.id = size}, payloads.back());
        stream.insert(stream.end(), frame.begin(), frame.end());
    }
    for (const std::size_t step : {1, 7, 16, 1000, 65'536, 1'000'000}) {
        INFO(step);
        frame_reader reader(limit);
        std::size_t count = 0;
        feed(reader, stream, step, [&](const frame_event& event) {
            REQUIRE(event.kind == frame_kind::complete);
            REQUIRE(count < payloads.size());
            CHECK(reinterpret_cast<std::uintptr_t>(event.frame.payload.data()) % 16 == 0);
            CHECK(std::ranges::equal(event.frame.payload, payloads[count]));
            const command parsed = parse_command(event.frame.envelope);
            REQUIRE(std::holds_alternative<task_header>(parsed));
            CHECK(std::get<task_header>(parsed).id == payloads[count].size());
            ++count;
        });
        CHECK(count == payloads.size());
        CHECK(reader.unfinished_bytes() == 0);
    }
}

TEST_CASE("frame_reader: two empty sizes are a doorbell") {
    bytes stream = test::make_frame(request_exit{});
    const bytes bell = header_alone(0, 0, 0);
    stream.insert(stream.begin(), bell.begin(), bell.end());
    stream.insert(stream.end(), bell.begin(), bell.end());
    std::vector<frame_kind> kinds;
    frame_reader reader(limit);
    feed(reader, stream, 5, [&](const frame_event& event) { kinds.push_back(event.kind); });
    CHECK(kinds == std::vector<frame_kind>{frame_kind::doorbell, frame_kind::complete,
                                           frame_kind::doorbell});
}

TEST_CASE("frame_reader: headers that announce no frame") {
    CHECK(error_of(header_alone(8, 1, 0)) == frame_error::reserved_not_zero);
    CHECK(error_of(header_alone(9, 0, 0)) == frame_error::envelope_not_words);
    CHECK(error_of(header_alone(max_envelope_bytes + 8, 0, 0)) == frame_error::envelope_too_large);
    CHECK(error_of(header_alone(0xFFFFFFF8, 0, 0)) == frame_error::envelope_too_large);
    CHECK(error_of(header_alone(0, 0, 1)) == frame_error::envelope_missing);
    CHECK(error_of(header_alone(8, 0, limit)) == frame_error::frame_too_large);
    CHECK(error_of(header_alone(8, 0, limit - 31)) == frame_error::frame_too_large);
    CHECK(error_of(header_alone(8, 0, limit - 32)) == frame_error::none);
    for (std::uint64_t below = 0; below < 100; ++below) {
        CHECK(error_of(header_alone(8, 0, UINT64_MAX - below)) == frame_error::frame_too_large);
    }
    CHECK(error_of(header_alone(8, 0, std::uint64_t{1} << 63)) == frame_error::frame_too_large);
}

TEST_CASE("frame_reader: a limit smaller than an envelope is a limit all the same") {
    frame_reader reader(40);
    frame_error error = frame_error::none;
    feed(reader, header_alone(64, 0, 0), 16, [&](const frame_event& e) { error = e.error; });
    CHECK(error == frame_error::frame_too_large);
}

TEST_CASE("frame_reader: after a malformed frame nothing has a meaning") {
    bytes stream = header_alone(8, 1, 0);
    const bytes good = test::make_frame(request_exit{});
    stream.insert(stream.end(), good.begin(), good.end());
    frame_reader reader(limit);
    feed(reader, stream, stream.size(), [](const frame_event&) {});
    for (int i = 0; i < 3; ++i) {
        CHECK(reader.next().kind == frame_kind::malformed);
        CHECK(reader.next().error == frame_error::reserved_not_zero);
    }
}

TEST_CASE("frame_reader: frames before a malformed one count") {
    bytes stream = test::make_frame(request_exit{});
    const bytes bad = header_alone(8, 1, 0);
    stream.insert(stream.end(), bad.begin(), bad.end());
    std::vector<frame_kind> kinds;
    frame_reader reader(limit);
    feed(reader, stream, stream.size(), [&](const frame_event& e) { kinds.push_back(e.kind); });
    CHECK(kinds == std::vector<frame_kind>{frame_kind::complete, frame_kind::malformed});
}

TEST_CASE("frame_reader: a header that claims a terabyte allocates nothing") {
    frame_reader reader(greatest_frame_limit);
    feed(reader, header_alone(8, 0, std::uint64_t{1} << 40), 16,
         [](const frame_event&) { FAIL("there is no frame"); });
    CHECK(reader.prepare().size() == frame_reader::normal_capacity - header_bytes);
    CHECK(reader.capacity() == frame_reader::normal_capacity);
}

TEST_CASE("frame_reader: the buffer grows with what arrives and shrinks when it is consumed") {
    const bytes payload = test::counting_bytes(10'000'000);
    const bytes frame = test::make_frame(task_header{}, payload);
    frame_reader reader(limit);
    std::size_t arrived = 0;
    for (std::span<const std::byte> rest = frame; !rest.empty();) {
        const std::span<std::byte> into = reader.prepare();
        const std::size_t count = std::min({into.size(), rest.size(), std::size_t{10'000}});
        std::memcpy(into.data(), rest.data(), count);
        reader.commit(count);
        rest = rest.subspan(count);
        arrived += count;
        CHECK(reader.capacity() <= std::max(frame_reader::normal_capacity, 4 * arrived));
        CHECK(reader.capacity() <= std::max(frame_reader::normal_capacity, frame.size()));
        CHECK((reader.next().kind == frame_kind::complete) == rest.empty());
    }
    CHECK(reader.capacity() == frame.size());
    static_cast<void>(reader.prepare());
    CHECK(reader.capacity() == frame_reader::normal_capacity);
}

TEST_CASE("frame_reader: a large payload is handed over, a small one copied") {
    const bytes large = test::counting_bytes(1'000'000);
    const bytes small = test::counting_bytes(1000);
    bytes stream = test::make_frame(task_header{.id = 1}, small);
    for (const bytes* payload : {&large, &small, &large}) {
        const bytes frame = test::make_frame(task_header{.id = 2}, *payload);
        stream.insert(stream.end(), frame.begin(), frame.end());
    }
    frame_reader reader(limit);
    std::vector<payload_buffer> taken;
    feed(reader, stream, 100'000, [&](const frame_event& event) {
        REQUIRE(event.kind == frame_kind::complete);
        const std::byte* place = event.frame.payload.data();
        const bool is_large = event.frame.payload.size() == large.size();
        taken.push_back(reader.take_payload());
        CHECK((taken.back().bytes().data() == place) == is_large);
        CHECK(reinterpret_cast<std::uintptr_t>(taken.back().bytes().data()) % 16 == 0);
    });
    REQUIRE(taken.size() == 4);
    CHECK(std::ranges::equal(taken[0].bytes(), small));
    CHECK(std::ranges::equal(taken[1].bytes(), large));
    CHECK(std::ranges::equal(taken[2].bytes(), small));
    CHECK(std::ranges::equal(taken[3].bytes(), large));
}

TEST_CASE("frame_reader: a frame is left out, and what comes after it is not") {
    const bytes large = test::make_frame(task_header{.id = 1}, test::counting_bytes(1'000'001));
    const bytes small = test::counting_bytes(1000);
    const bytes after = test::make_frame(task_header{.id = 2}, small);
    for (const std::size_t step : {1'000, 16'383, 65'536, 10'000'000}) {
        INFO(step);
        frame_reader reader(limit);
        std::span<const std::byte> rest = large;
        while (large.size() - rest.size() < 70'000) { // so much has come when memory is short
            const std::span<std::byte> into = reader.prepare();
            const std::size_t count = std::min({into.size(), step, rest.size() - 1});
            std::memcpy(into.data(), rest.data(), count);
            reader.commit(count);
            rest = rest.subspan(count);
            CHECK(reader.next().kind == frame_kind::need_more);
        }
        const command skipped = parse_command(reader.skip());
        REQUIRE(std::holds_alternative<task_header>(skipped));
        CHECK(std::get<task_header>(skipped).id == 1);
        bytes stream(rest.begin(), rest.end());
        stream.insert(stream.end(), after.begin(), after.end());
        int frames = 0;
        feed(reader, stream, step, [&](const frame_event& event) {
            REQUIRE(event.kind == frame_kind::complete);
            CHECK(std::ranges::equal(event.frame.payload, small));
            CHECK(reinterpret_cast<std::uintptr_t>(event.frame.payload.data()) % 16 == 0);
            ++frames;
        });
        CHECK(frames == 1);
        CHECK(reader.capacity() == frame_reader::normal_capacity);
    }
}

TEST_CASE("frame_reader: nothing is left out of a stream between frames") {
    frame_reader reader(limit);
    CHECK(reader.skip().empty());
    feed(reader, test::make_frame(task_header{}, {}), 16, [](const frame_event&) {});
    CHECK(reader.skip().empty());
}

TEST_CASE("frame_reader: a payload is taken once") {
    const bytes frame = test::make_frame(task_header{}, test::counting_bytes(100));
    frame_reader reader(limit);
    feed(reader, frame, frame.size(), [&](const frame_event&) {
        CHECK(reader.take_payload().bytes().size() == 100);
        CHECK(reader.take_payload().bytes().empty());
    });
}

TEST_CASE("parse_frame: a span holds exactly one frame") {
    const bytes frame = test::make_frame(task_header{.id = 9}, test::counting_bytes(33));
    const test::aligned_copy whole(frame);
    const frame_event event = parse_frame(whole.view(), limit);
    REQUIRE(event.kind == frame_kind::complete);
    CHECK(std::ranges::equal(event.frame.payload, test::counting_bytes(33)));
    CHECK(std::get<task_header>(parse_command(event.frame.envelope)).id == 9);

    for (std::size_t size = 0; size < frame.size(); ++size) {
        const test::aligned_copy part(std::span<const std::byte>(frame).first(size));
        CHECK(parse_frame(part.view(), limit).error == frame_error::truncated);
    }
    bytes longer = frame;
    longer.resize(frame.size() + 16);
    const test::aligned_copy with_rest(longer);
    CHECK(parse_frame(with_rest.view(), limit).error == frame_error::trailing_bytes);
    CHECK(parse_frame(whole.view(), frame.size() - 1).error == frame_error::frame_too_large);
    CHECK(parse_frame(whole.view(), frame.size()).error == frame_error::none);

    const test::aligned_copy bell(header_alone(0, 0, 0));
    CHECK(parse_frame(bell.view(), limit).kind == frame_kind::doorbell);
}
