#include "support/catch.hpp"
#include "support/wire_samples.hpp"

#include "wire/frame_reader.hpp"
#include "wire/messages.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <variant>
#include <vector>

// What a worker sends may be anything. Streams of good frames are damaged in ways that come from a
// seed; whatever comes out, the reader's memory stays bounded, frames stay inside of it, and texts
// inside of their envelope.

using namespace coproc::wire;
using test::bytes;
using test::seeded;

namespace {

constexpr std::uint64_t limit = 1 << 20;

void append(bytes& stream, const bytes& frame) {
    stream.insert(stream.end(), frame.begin(), frame.end());
}

bytes random_frame(seeded& random) {
    const bytes payload =
        test::counting_bytes(random.one_in(50) ? random.below(200'000) : random.below(100));
    const std::string text(random.below(40), 'x');
    switch (random.below(8)) {
    case 0:
        return test::make_frame(task_header{.id = random.any(), .name = text}, payload);
    case 1:
        return test::make_frame(
            module_header{.number = 1, .path = text, .build_id = test::to_bytes(text)});
    case 2:
        return test::make_frame(request_exit{});
    case 3:
        return test::make_frame(hello{.pid = 1, .build_id = test::to_bytes(text)});
    case 4:
        return test::make_frame(log_text{text});
    case 5:
        return bytes(header_bytes);
    case 6:
        return test::make_frame(
            reply_header{.sequence = 1, .outcome = reply_outcome::threw, .text = text}, payload);
    default:
        return test::make_frame(reply_header{.sequence = random.any()}, payload);
    }
}

/// Numbers near the edges of what a size can be.
std::uint64_t edge(seeded& random) {
    const std::uint64_t edges[] = {0,          8,          16,         max_envelope_bytes,
                                   limit,      1ull << 31, 1ull << 32, 1ull << 62,
                                   1ull << 63, UINT64_MAX};
    return edges[random.below(std::size(edges))] + random.below(33) - 16;
}

void damage(bytes& stream, seeded& random) {
    if (stream.empty()) {
        return;
    }
    const std::size_t at = random.below(stream.size());
    const auto place = stream.begin() + static_cast<std::ptrdiff_t>(at);
    switch (random.below(6)) {
    case 0: // a bit
        *place ^= static_cast<std::byte>(1 << random.below(8));
        break;
    case 1: // a byte
        *place = static_cast<std::byte>(random.any());
        break;
    case 2: { // a number, where one may be
        const std::uint64_t number = edge(random);
        const std::size_t word = at & ~std::size_t{7};
        std::memcpy(stream.data() + word, &number, std::min(sizeof number, stream.size() - word));
        break;
    }
    case 3: // the end
        stream.resize(at);
        break;
    case 4: { // something left out
        const std::size_t count = std::min(stream.size() - at, random.below(64));
        stream.erase(place, place + static_cast<std::ptrdiff_t>(count));
        break;
    }
    default: { // something twice
        const std::size_t count = std::min(stream.size() - at, random.below(256));
        const bytes piece(place, place + static_cast<std::ptrdiff_t>(count));
        const auto other = static_cast<std::ptrdiff_t>(random.below(stream.size()));
        stream.insert(stream.begin() + other, piece.begin(), piece.end());
    }
    }
}

bool lies_in(std::span<const std::byte> whole, const void* part, std::size_t size) {
    const auto* first = static_cast<const std::byte*>(part);
    return size == 0 || (first >= whole.data() && first + size <= whole.data() + whole.size());
}

/// Reads each byte that a view claims, for the sanitizers, and gives a sum of them.
template <class Part>
unsigned touch(std::span<const std::byte> envelope, const Part& part) {
    REQUIRE(lies_in(envelope, part.data(), part.size()));
    unsigned sum = 0;
    for (const auto element : part) {
        sum += static_cast<unsigned>(element);
    }
    return sum;
}

unsigned inspect(std::span<const std::byte> envelope) {
    const command asked = parse_command(envelope);
    const report told = parse_report(envelope);
    unsigned sum = 0;
    if (const auto* task = std::get_if<task_header>(&asked)) {
        sum += touch(envelope, task->name);
    } else if (const auto* module = std::get_if<module_header>(&asked)) {
        sum += touch(envelope, module->path) + touch(envelope, module->build_id);
    }
    if (const auto* reply = std::get_if<reply_header>(&told)) {
        sum += touch(envelope, reply->text);
    } else if (const auto* greeting = std::get_if<hello>(&told)) {
        sum += touch(envelope, greeting->build_id);
    } else if (const auto* log = std::get_if<log_text>(&told)) {
        sum += touch(envelope, log->text);
    }
    return sum;
}

struct tally {
    std::size_t complete = 0;
    std::size_t malformed = 0;
    std::size_t messages_refused = 0;
    unsigned sum = 0;
};

/// Takes a stream apart in reads of random sizes.
void read_stream(std::span<const std::byte> stream, seeded& random, tally& seen) {
    frame_reader reader(limit);
    std::size_t arrived = 0;
    const std::size_t step = 1 + random.below(random.one_in(2) ? 64 : 300'000);
    while (!stream.empty()) {
        const std::span<std::byte> into = reader.prepare();
        const std::size_t count = std::min({1 + random.below(step), into.size(), stream.size()});
        std::memcpy(into.data(), stream.data(), count);
        reader.commit(count);
        stream = stream.subspan(count);
        arrived += count;
        REQUIRE(reader.capacity() <= std::max(frame_reader::normal_capacity, 4 * arrived));
        REQUIRE(reader.capacity() <= limit);
        for (frame_event event = reader.next(); event.kind != frame_kind::need_more;
             event = reader.next()) {
            if (event.kind == frame_kind::malformed) {
                ++seen.malformed;
                return;
            }
            if (event.kind == frame_kind::complete) {
                ++seen.complete;
                seen.messages_refused +=
                    std::holds_alternative<message_error>(parse_report(event.frame.envelope));
                seen.sum += inspect(event.frame.envelope);
                const payload_buffer payload = reader.take_payload();
                REQUIRE(payload.bytes().size() <= limit);
            }
        }
    }
}

} // namespace

TEST_CASE("hostile streams: damaged frames do no harm") {
    tally seen;
    for (std::uint64_t seed = 0; seed < 100'000; ++seed) {
        INFO(seed);
        seeded random(seed);
        bytes stream;
        for (std::size_t count = 1 + random.below(6); count != 0; --count) {
            append(stream, random_frame(random));
        }
        for (std::size_t count = random.below(4); count != 0; --count) {
            damage(stream, random);
        }
        read_stream(stream, random, seen);
    }
    // The damage is neither so small that nothing is refused nor so great that nothing gets
    // through.
    CHECK(seen.complete > 100'000);
    CHECK(seen.malformed > 10'000);
    CHECK(seen.messages_refused > 10'000);
}

TEST_CASE("hostile streams: noise is refused") {
    tally seen;
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
        seeded random(seed);
        bytes stream(16 + random.below(1000));
        for (std::byte& byte : stream) {
            byte = static_cast<std::byte>(random.any());
        }
        read_stream(stream, random, seen);
    }
    CHECK(seen.malformed == 1000);
    CHECK(seen.complete == 0);
}

TEST_CASE("hostile streams: envelopes of random words do no harm") {
    // Frames around them are well-formed, so every one reaches the message parsers.
    unsigned sum = 0;
    for (std::uint64_t seed = 0; seed < 100'000; ++seed) {
        seeded random(seed);
        const bytes good = random_frame(random);
        const frame_header header = load_header(good.data());
        bytes envelope(good.begin() + header_bytes,
                       good.begin() + header_bytes + header.envelope_bytes);
        for (std::size_t count = 1 + random.below(3); count != 0 && !envelope.empty(); --count) {
            std::uint64_t word = random.any();
            if (random.one_in(2)) {
                word &= 0x0000'00FF'0000'00FF; // pointers that may lead somewhere
            }
            std::memcpy(envelope.data() + 8 * random.below(envelope.size() / 8), &word, 8);
        }
        const test::aligned_copy copy(envelope);
        sum += inspect(copy.view());
    }
    CHECK(sum != 0);
}
