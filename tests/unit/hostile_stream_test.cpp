#include "support/catch.hpp"
#include "support/wire_samples.hpp"

#include "wire/frame_reader.hpp"
#include "wire/messages.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <numeric>
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
    static const bytes pattern = test::counting_bytes(200'000);
    const std::span<const std::byte> payload(
        pattern.data(), random.one_in(50) ? random.below(pattern.size()) : random.below(100));
    const std::string text(random.below(40), 'x');
    switch (random.below(11)) {
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
    case 7:
        return test::make_frame(progress_header{.sequence = random.any()}, payload);
    case 8:
        return test::make_frame(extent_header{.number = random.any(), .bytes = random.any()});
    case 9:
        return test::make_frame(forget_extent{random.any()});
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

struct tally {
    std::size_t complete = 0;
    std::size_t malformed = 0;
    std::size_t refused_messages = 0;
    std::size_t violations =
        0; ///< of what must hold whatever arrives; counted, since CHECK is slow
    unsigned sum = 0;

    void must_hold(bool promise) { violations += promise ? 0 : 1; }
};

/// Reads each byte that a view claims, for the sanitizers too.
template <class Part>
void touch(std::span<const std::byte> whole, const Part& part, tally& seen) {
    const auto* first = reinterpret_cast<const std::byte*>(part.data());
    const std::byte* end = whole.data() + whole.size();
    seen.must_hold(part.empty() || (first >= whole.data() && part.size() <= whole.size() &&
                                    first <= end - part.size()));
    for (const auto element : part) {
        seen.sum += static_cast<unsigned>(element);
    }
}

void inspect(std::span<const std::byte> envelope, tally& seen) {
    const command asked = parse_command(envelope);
    if (const auto* task = std::get_if<task_header>(&asked)) {
        touch(envelope, task->name, seen);
    } else if (const auto* module = std::get_if<module_header>(&asked)) {
        touch(envelope, module->path, seen);
        touch(envelope, module->build_id, seen);
    }
    const report told = parse_report(envelope);
    if (const auto* reply = std::get_if<reply_header>(&told)) {
        touch(envelope, reply->text, seen);
    } else if (const auto* greeting = std::get_if<hello>(&told)) {
        touch(envelope, greeting->build_id, seen);
    } else if (const auto* log = std::get_if<log_text>(&told)) {
        touch(envelope, log->text, seen);
    } else if (std::holds_alternative<message_error>(told)) {
        ++seen.refused_messages;
    }
}

unsigned checksum(std::span<const std::byte> payload) {
    return std::accumulate(payload.begin(), payload.end(), 0U, [](unsigned sum, std::byte byte) {
        return sum + static_cast<unsigned>(byte);
    });
}

/// Takes out what has arrived. false: the stream is malformed.
bool take_frames(frame_reader& reader, tally& seen) {
    for (;;) {
        const frame_event event = reader.next();
        switch (event.kind) {
        case frame_kind::need_more:
            return true;
        case frame_kind::malformed:
            ++seen.malformed;
            return false;
        case frame_kind::doorbell:
            break;
        case frame_kind::complete:
            ++seen.complete;
            inspect(event.frame.envelope, seen);
            seen.must_hold(event.frame.payload.size() <= limit);
            seen.sum += checksum(reader.take_payload().bytes());
            break;
        }
    }
}

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
        seen.must_hold(reader.capacity() <= std::max(frame_reader::normal_capacity, 4 * arrived));
        seen.must_hold(reader.capacity() <= limit);
        if (!take_frames(reader, seen)) {
            return;
        }
    }
}

} // namespace

TEST_CASE("hostile streams: damaged frames do no harm") {
    tally seen;
    for (std::uint64_t seed = 0; seed < 100'000; ++seed) {
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
    CHECK(seen.refused_messages > 10'000);
    CHECK(seen.violations == 0);
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
    tally seen;
    for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
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
        inspect(copy.view(), seen);
    }
    CHECK(seen.violations == 0);
    CHECK(seen.refused_messages > 1000);
}
